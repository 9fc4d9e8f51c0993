"""The set of whole numbers, for tensors that count or choose."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from preimage.domains import Domain, Size

_SLACK = 1e-3


class WholeNumbers(Domain):
    """The whole numbers between two bounds, to within one part in a thousand.

    Args:
        low: smallest, or ``-math.inf``.
        high: largest, or ``math.inf``.
        shape: pattern of the event, see :class:`~preimage.domains.Domain`.

    Example:
        >>> WholeNumbers(0, 1).outside(torch.tensor([0.0, 0.5, 2.0]))
        tensor([False,  True,  True])
    """

    def __init__(self, low: float = -math.inf, high: float = math.inf, *shape: Size) -> None:
        super().__init__(*shape)
        self.low, self.high = low, high

    def outside(self, x: Tensor) -> Tensor:
        """Not whole, or beyond a bound."""
        return self.violation(x) > _SLACK

    def violation(self, x: Tensor) -> Tensor:
        """Distance from the nearest member; 0 for NaN."""
        distance = (x - self._nearest(x)).abs().nan_to_num(nan=math.inf)
        return torch.where((distance > _SLACK) & ~x.isnan(), distance, torch.zeros_like(x))

    def squash(self, real: Tensor) -> Tensor:
        """Rounding, with a stretch that makes several of them appear."""
        return self._nearest(3 * real)

    def edges(self, dtype: torch.dtype) -> Tensor:
        """The bounds, or numbers of order 1000 towards infinity."""
        bounds = torch.tensor([self.low, self.high], dtype=dtype)
        return torch.where(bounds.isinf(), bounds.sign() * 1000, bounds)

    def _nearest(self, x: Tensor) -> Tensor:
        return x.round().clamp(self.low, self.high)

    def __str__(self) -> str:
        return f"the whole numbers from {self.low:g} to {self.high:g}"

    @property
    def constraint(self) -> constraints.Constraint:
        """The integers of torch.distributions; without a bound the nearest it has, all real numbers."""
        if math.isinf(self.low) or math.isinf(self.high):
            return constraints.real
        return constraints.integer_interval(int(self.low), int(self.high))
