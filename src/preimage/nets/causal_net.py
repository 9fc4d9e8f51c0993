"""Any module as an autoregressive network."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.nets.autoregressive_net import AutoregressiveNet


class CausalNet(AutoregressiveNet):
    r"""A module of your own, such as causal convolutions or a transformer, as an autoregressive network.

    The module must be autoregressive: in some order, the parameters of a feature depend on features before it
    only. It is undone by parallel sweeps, which reach the solution of feature after feature in at most
    ``passes`` runs, and mostly in far fewer. A module that is not autoregressive has no such solution; the
    certificate of the inverse then says so.

    Reference: Song, Meng, Liao, Ermon (2021), Accelerating feedforward computation via parallel nonlinear
    equation solving, https://arxiv.org/abs/2002.03629

    Args:
        module: called as ``module(x)``, or ``module(x, context)``. For x ``(N, C, ...)`` it returns
            ``(N, C * count, ...)``, the ``count`` parameters of a channel next to each other.
        event_shape: shape of one row of x, ``(C, ...)``.
        count: number of parameters of each feature, ``element_map.count``.
        passes: the length of the longest chain of dependencies; the number of features by default.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(...)``; None for none.

    Returns:
        Tensor ``(N, *event_shape, count)``.

    Raises:
        ShapeError: the module returned another shape.

    Cost: that of the module; for solving, at most ``passes`` runs of it.

    Example:
        >>> import torch
        >>> shifted = nn.Sequential(nn.ConstantPad1d((2, -1), 0.0), nn.Conv1d(1, 2, 2))
        >>> CausalNet(shifted, (1, 5), count=2)(torch.randn(3, 1, 5)).shape
        torch.Size([3, 1, 5, 2])
    """

    def __init__(
        self,
        module: nn.Module,
        event_shape: Sequence[int],
        count: int,
        *,
        passes: int | None = None,
        context: int | Reals | None = None,
    ) -> None:
        super().__init__(event_shape, count, prod(event_shape) if passes is None else passes, context)
        self.module = module

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The parameters ``(N, *event_shape, count)``."""
        raw = self.module(x) if context is None else self.module(x, context)  # (N, C * count, ...)
        channels, *rest = self.event_shape
        if raw.shape != (x.shape[0], channels * self.count, *rest):
            raise ShapeError(
                f"CausalNet: {type(self.module).__name__} returned shape {tuple(raw.shape)}, wanted"
                f" {(x.shape[0], channels * self.count, *rest)}: {self.count} parameters for each of"
                f" {channels} channels"
            )
        return raw.reshape(x.shape[0], channels, self.count, *rest).movedim(2, -1)
