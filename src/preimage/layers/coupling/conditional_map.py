"""A map that only the context decides."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.functional.event import sum_event
from preimage.layers.coupling.affine_map import AffineMap
from preimage.layers.coupling.element_map import ElementMap


class ConditionalMap(Bijection):
    r"""Every element moves, and only the context says how: :math:`y = g(x;\, \theta(c))`.

    The one-sided conditional coupling: nothing has to stay, for the parameters do not depend on x. log_det is
    the sum of the log-slopes of g.

    Reference: Ardizzone et al. (2019), Guided image generation with conditional invertible networks,
    https://arxiv.org/abs/1907.02392

    Args:
        features: number of features or channels C.
        conditioner: module called as ``conditioner(context)``. It returns ``(N, C * count, ...)``, the
            ``count`` parameters of a channel next to each other; without the dimensions of space, or with
            size 1 there, positions share them.
        element_map: the map g; :class:`~preimage.layers.AffineMap` by default.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(...)``.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: the conditioner returned another shape.

    Cost: one run of the conditioner in either direction.

    Example:
        >>> import torch
        >>> layer = ConditionalMap(3, torch.nn.Linear(5, 6), context=5)
        >>> x, context = torch.ones(2, 3), torch.ones(2, 5)
        >>> torch.allclose(layer.inverse(layer(x, context), context), x)
        True
    """

    autocasts_inside: ClassVar[bool] = True

    def __init__(
        self,
        features: int,
        conditioner: nn.Module,
        element_map: ElementMap | None = None,
        *,
        context: int | Reals,
    ) -> None:
        super().__init__()
        self.conditioner = conditioner
        self.element_map = AffineMap() if element_map is None else element_map
        self.domain = self.codomain = Reals(features, ...)
        self.context_domain = Reals(context) if isinstance(context, int) else context

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Move every element."""
        y, log_slope = self.element_map.forward_elements(x, self._parameters_for(x, context))
        return y, sum_event(log_slope)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Move every element back."""
        x, log_slope = self.element_map.inverse_elements(y, self._parameters_for(y, context))
        return x, sum_event(log_slope)

    def _parameters_for(self, x: Tensor, context: Context) -> Tensor:
        raw = self.conditioner(context).to(x.dtype)  # (N, C * count, ...)
        (batch, channels, *rest), count = x.shape, self.element_map.count
        came = list(raw.shape[2:]) or [1] * len(rest)
        fits = len(came) == len(rest) and all(
            size in (1, wanted) for size, wanted in zip(came, rest, strict=True)
        )
        if raw.shape[:2] != (batch, channels * count) or not fits:
            raise ShapeError(
                f"ConditionalMap: the conditioner returned shape {tuple(raw.shape)}, wanted"
                f" {(batch, channels * count, *rest)}, or 1 in place of the sizes of space: {count}"
                f" parameters for each of {channels} channels"
            )
        raw = raw.reshape(batch, channels, count, *came).movedim(2, -1)  # (N, C, ..., count)
        return raw.expand(*x.shape, count)
