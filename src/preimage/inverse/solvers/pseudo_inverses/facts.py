"""What is known about a linear map: rank, condition number, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from preimage.certificate import Certificate

Promise = Literal["exact", "left", "right", "least-squares"]


@dataclass(frozen=True)
class Facts:
    """Dimensions, rank and conditioning of a linear map A.

    Args:
        in_size: number of unknowns.
        out_size: number of equations.
        rank: rank of A, or None where it is not known.
        condition: largest over smallest *non-zero* singular value; NaN where it is not known.
        certified: True when rank and condition come from a complete factorisation of A in float64, False
            when they are estimates.

    Example:
        >>> facts = Facts(in_size=3, out_size=2, rank=2, condition=1.5, certified=True)
        >>> facts.guarantee, facts.nullity
        ('right', 1)
    """

    in_size: int
    out_size: int
    rank: int | None
    condition: float = math.nan
    certified: bool = False

    @property
    def nullity(self) -> int | None:
        """Dimension of the null space of A: numbers that the map forgets."""
        return None if self.rank is None else self.in_size - self.rank

    @property
    def guarantee(self) -> Promise:
        """What the pseudo-inverse promises.

        ``exact`` both ways, ``left`` A+ A = I, ``right`` A A+ = I, otherwise the minimum-norm least squares.
        """
        if self.rank is None:
            return "least-squares"
        injective, surjective = self.rank == self.in_size, self.rank == self.out_size
        if injective and surjective:
            return "exact"
        return "left" if injective else "right" if surjective else "least-squares"

    def __str__(self) -> str:
        rank = "unknown" if self.rank is None else str(self.rank)
        how = "certified" if self.certified else "estimate"
        return (
            f"{self.in_size} -> {self.out_size}, rank {rank}, condition {self.condition:.3g} ({how}):"
            f" {self.guarantee}"
        )


@dataclass(frozen=True)
class Solution:
    """An answer and its evidence.

    Args:
        x: the answer, ``(N, *in_shape)``.
        certificate: one row per sample.
    """

    x: Tensor
    certificate: Certificate
