"""Vectors that have a direction."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor
from torch.distributions import constraints

from preimage.domains import Domain


@final
class Directions(Domain):
    """Vectors whose first coordinates are not all zero.

    Args:
        size: number of coordinates.
        leading: how many of the first coordinates count; 2 leaves out both poles of spherical coordinates,
            and what belongs to them in more dimensions.

    Example:
        >>> Directions(3, 2).outside(torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
        tensor([[ True,  True, False],
                [False, False, False]])
    """

    def __init__(self, size: int, leading: int) -> None:
        super().__init__(size)
        self.leading = leading

    def outside(self, x: Tensor) -> Tensor:
        """The leading coordinates where they are too close to zero to have a direction."""
        lead = x[..., : self.leading]
        small = (lead.abs().amax(-1, keepdim=True) < smallest_length(x.dtype)).expand_as(lead)
        return torch.cat([small, torch.zeros_like(x[..., self.leading :], dtype=torch.bool)], dim=-1)

    def violation(self, x: Tensor) -> Tensor:
        """The smallest length where a vector lies below it."""
        return self.outside(x).to(x.dtype) * smallest_length(x.dtype)

    def squash(self, real: Tensor) -> Tensor:
        """The vector itself: normal samples are not zero."""
        return real

    def edges(self, dtype: torch.dtype) -> Tensor:
        """Small and large numbers of both signs."""
        small = 2 * smallest_length(dtype)
        return torch.tensor([small, -small, 1e6, -1e6], dtype=dtype)

    def __str__(self) -> str:
        return f"the vectors whose first {self.leading} coordinates are not all zero"

    @property
    def constraint(self) -> constraints.Constraint:
        """``constraints.real``: torch.distributions has no name for this set."""
        return constraints.real


def smallest_length(dtype: torch.dtype) -> float:
    """Below it squares underflow."""
    return math.sqrt(torch.finfo(dtype).tiny)
