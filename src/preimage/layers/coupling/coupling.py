"""Coupling: one part of the input decides how the other part moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.functional.event import sum_event
from preimage.layers.coupling.affine_map import AffineMap
from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.coupling.partition import ChannelPartition, Partition
from preimage.rebuild import Gradients, Rebuilt

ElementFunction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Coupling(Bijection):
    r"""Coupling layer, :math:`y_A = x_A`, :math:`y_B = g(x_B;\, \theta(x_A, c))`.

    The conditioner :math:`\theta` may be any network: it is only ever run forwards. The map g is applied to
    every element of the moving part; log_det is the sum of its log-slopes.

    Reference: Dinh, Krueger, Bengio (2015), NICE, https://arxiv.org/abs/1410.8516; Dinh, Sohl-Dickstein,
    Bengio (2017), Real NVP, https://arxiv.org/abs/1605.08803

    Args:
        partition: which part stays; a :class:`~preimage.layers.Partition`, or a bool mask ``(C,)`` over the
            channels, True where x stays. The two parts may have different sizes.
        conditioner: a module called as ``conditioner(kept)``, or ``conditioner(kept, context)`` where there
            is
            a context, with kept ``(N, k, ...)``. It returns ``(N, m * count, ...)`` for m moving channels
            (for a :class:`~preimage.layers.MaskPartition`, as many channels as x), the ``count`` parameters
            of a channel next to each other.
        element_map: the map g; :class:`~preimage.layers.AffineMap` by default.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(...)`` for contexts of
            other
            shapes; None for no context.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: the conditioner returned another shape.

    Cost: one run of the conditioner in either direction.

    Example:
        >>> import torch
        >>> layer = Coupling(torch.tensor([True, False, False]), torch.nn.Linear(1, 4))
        >>> x = torch.randn(5, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-6)
        True
    """

    autocasts_inside: ClassVar[bool] = True

    def __init__(
        self,
        partition: Partition | Tensor,
        conditioner: nn.Module,
        element_map: ElementMap | None = None,
        context: int | Reals | None = None,
    ) -> None:
        super().__init__()
        self.partition = partition if isinstance(partition, Partition) else ChannelPartition(partition)
        self.conditioner = conditioner
        self.element_map = AffineMap() if element_map is None else element_map
        self.domain = self.codomain = self.partition.domain
        self.context_domain = Reals(context) if isinstance(context, int) else context

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Move part B."""
        return self._move(self.element_map.forward_elements, x, context)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Move part B back; part A, and so the parameters, are the same."""
        return self._move(self.element_map.inverse_elements, y, context)

    def _move(self, function: ElementFunction, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        kept, moving = self.partition.split(x)
        moved, log_slope = function(moving, self._parameters_for(kept, moving, context))
        return self.partition.join(kept, moved), sum_event(self.partition.only_moved(log_slope))

    def rebuild_forward(self, y: Tensor, context: Context = None) -> Rebuilt:
        """One run of the conditioner serves to undo the coupling and to run it again."""
        return self._rebuild(self.element_map.inverse_elements, self.element_map.forward_elements, y, context)

    def rebuild_inverse(self, x: Tensor, context: Context = None) -> Rebuilt:
        """The same for the inverse."""
        return self._rebuild(self.element_map.forward_elements, self.element_map.inverse_elements, x, context)

    def _rebuild(self, undo: ElementFunction, redo: ElementFunction, y: Tensor, context: Context) -> Rebuilt:
        kept, moved = (part.detach() for part in self.partition.split(y))
        with torch.enable_grad():
            raw = self._parameters_for(kept.requires_grad_(), moved, context)
        with torch.no_grad():
            moving = undo(moved, raw)[0]
            x = self.partition.join(kept, moving)
        with torch.enable_grad():
            again, log_slope = redo(moving.requires_grad_(), raw)
            log_det = sum_event(self.partition.only_moved(log_slope))
        return Rebuilt(x, (kept, again), log_det, (kept, moving), self._split, self._join)

    def _split(self, gradients: Gradients) -> Gradients:
        """A gradient divided as values are; dividing is linear and leaves no element out."""
        return (None, None) if gradients[0] is None else self.partition.split(gradients[0])

    def _join(self, gradients: Gradients) -> Gradients:
        kept, moving = gradients
        return (None,) if kept is None or moving is None else (self.partition.join(kept, moving),)

    def _parameters_for(self, kept: Tensor, moving: Tensor, context: Context) -> Tensor:
        arguments: tuple[Any, ...] = (kept,) if context is None else (kept, context)
        raw = self.conditioner(*arguments).to(moving.dtype)  # (N, m * count, ...)
        batch, channels, *rest = moving.shape
        count = self.element_map.count
        if raw.shape != (batch, channels * count, *rest):
            raise ShapeError(
                f"Coupling: the conditioner returned shape {tuple(raw.shape)}, wanted"
                f" {(batch, channels * count, *rest)}: {count} parameters for each of {channels} channels"
            )
        return raw.reshape(batch, channels, count, *rest).movedim(2, -1)  # (N, m, ..., count)
