"""An interval whose ends are being learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from preimage.domains import Domain
from preimage.functional.event import align_event


class LearnedInterval(Domain):
    """The open interval from ``low`` to ``low + exp(log_width)``, both read when a value is looked at.

    Args:
        low: the parameter that holds the lower ends.
        log_width: the parameter that holds the logarithms of the widths, of the same shape.

    Example:
        >>> interval = LearnedInterval(nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1)))
        >>> interval.outside(torch.tensor([[0.5], [1.0]]))
        tensor([[False],
                [ True]])
    """

    def __init__(self, low: nn.Parameter, log_width: nn.Parameter) -> None:
        super().__init__(*low.shape, ...)
        self.low, self.log_width = low, log_width

    def _ends(self) -> tuple[Tensor, Tensor]:
        low = self.low.detach()
        return low, low + self.log_width.detach().exp()

    def outside(self, x: Tensor) -> Tensor:
        """On an end, or beyond it."""
        low, high = (align_event(end, x) for end in self._ends())
        return (x <= low) | (x >= high)

    def violation(self, x: Tensor) -> Tensor:
        """Distance to the nearer end; the smallest normal number on an end itself."""
        low, high = (align_event(end, x) for end in self._ends())
        distance = torch.maximum(low - x, x - high).clamp_min(torch.finfo(x.dtype).tiny)
        return torch.where(self.outside(x), distance, torch.zeros_like(x))

    def squash(self, real: Tensor) -> Tensor:
        """A logistic map onto the interval."""
        low, high = (align_event(end.to(real.dtype), real) for end in self._ends())
        return low + (high - low) * real.sigmoid()

    def edges(self, dtype: torch.dtype) -> Tensor:
        """The neighbours of the innermost ends."""
        low, high = (end.to(dtype) for end in self._ends())
        inner = torch.stack([low.max(), high.min()])
        return torch.nextafter(inner, inner.flip(0))

    def __str__(self) -> str:
        low, high = self._ends()
        return f"the open learnt interval from {low.min().item():.6g} to {high.max().item():.6g}"

    @property
    def constraint(self) -> constraints.Constraint:
        """All real numbers: the interval moves, and torch.distributions reads it once."""
        return constraints.real
