"""A coupling that keeps volumes."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import zero_log_det
from preimage.layers.coupling.coupling import Coupling, ElementFunction
from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.coupling.partition import Partition


@final
class GINCoupling(Coupling):
    r"""Volume-preserving affine coupling, :math:`y_A = x_A`, :math:`y_B = e^{s - \bar s} x_B + t`.

    The log-scales :math:`s = b \tanh(r / b)` and shifts t come from a network that sees part A; the mean of
    the log-scales over the moving channels is taken off at every position. So log_det is exactly zero, and
    yet single channels are stretched, unlike in an additive coupling. One channel alone cannot be.

    Reference: Sorrenson, Rother, Köthe (2020), Disentanglement by nonlinear ICA with general
    incompressible-flow networks (GIN), https://arxiv.org/abs/2001.04872

    Args:
        partition: which part stays; a :class:`~preimage.layers.Partition`, or a bool mask ``(C,)``, True
            where x stays.
        conditioner: as for :class:`~preimage.layers.Coupling`, with 2 outputs a channel, log-scale and
            shift.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(...)``; None for none.
        bound: largest absolute log-scale b before the mean is taken off.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``, zeros.

    Raises:
        ShapeError: the conditioner returned another shape.
        ValueError: the bound is not positive.

    Cost: one run of the conditioner in either direction.

    Example:
        >>> layer = GINCoupling(torch.tensor([True, False, False]), nn.Linear(1, 4))
        >>> y, log_det = layer.forward_and_log_det(torch.randn(5, 3))
        >>> log_det
        tensor([0., 0., 0., 0., 0.])
    """

    def __init__(
        self,
        partition: Partition | Tensor,
        conditioner: nn.Module,
        context: int | Reals | None = None,
        bound: float = 1.0,
    ) -> None:
        super().__init__(partition, conditioner, _ScaleAndShift(), context)
        if bound <= 0:
            raise ValueError(f"GINCoupling: bound is {bound}, wanted a positive number, such as 1.0")
        self.bound = bound

    def _move(self, function: ElementFunction, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        return super()._move(function, x, context)[0], zero_log_det(x)

    def _parameters_for(self, kept: Tensor, moving: Tensor, context: Context) -> Tensor:
        raw_scale, shift = super()._parameters_for(kept, moving, context).unbind(-1)  # (N, m, ...)
        log_scale = self.bound * torch.tanh(raw_scale / self.bound)
        moves = self.partition.only_moved(torch.ones_like(log_scale))
        mean = (moves * log_scale).sum(1, keepdim=True) / moves.sum(1, keepdim=True).clamp_min(1)
        return torch.stack([log_scale - mean, shift], dim=-1)


class _ScaleAndShift(ElementMap):
    """A factor and a shift whose bounds are somebody else's concern."""

    def __init__(self) -> None:
        super().__init__(count=2)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply, then add."""
        log_scale, shift = raw.unbind(-1)
        return x * log_scale.exp() + shift, log_scale

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Subtract, then divide."""
        log_scale, shift = raw.unbind(-1)
        return (y - shift) * torch.exp(-log_scale), -log_scale
