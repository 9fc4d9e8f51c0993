"""Limits of each number of its own: what a layer must make when only some of its outputs are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from preimage.inverse.solvers.saturated.saturation import Saturation


@final
@dataclass(frozen=True)
class Bounds(Saturation):
    """lower <= z <= upper, number by number; an equation where both are equal.

    Args:
        lower, upper: ``(1, *event)`` in float64, infinite where nothing is known.
    """

    low: float = -math.inf
    high: float = math.inf
    lower: Tensor = field(default_factory=lambda: torch.zeros(1, 1))
    upper: Tensor = field(default_factory=lambda: torch.zeros(1, 1))

    def equations(self, y: Tensor) -> Tensor:
        """Where z is known; bool, of the shape of y."""
        return (self.lower == self.upper).expand_as(y)

    def excess(self, z: Tensor, y: Tensor) -> Tensor:
        """How far z breaks its bounds: positive if too high, negative if too low; zero at equations."""
        broken = z - z.clamp(self.lower.to(z), self.upper.to(z))
        return torch.where(self.equations(y), 0, broken)

    def image(self, z: Tensor, y: Tensor) -> Tensor:
        """z at equations; elsewhere y, moved by what z lies outside its bounds."""
        return torch.where(self.equations(y), z, y + self.excess(z, y))

    def nearest(self) -> Tensor:
        """The numbers within the bounds that are nearest to zero, ``(1, *event)``."""
        return torch.zeros_like(self.lower).clamp(self.lower, self.upper)
