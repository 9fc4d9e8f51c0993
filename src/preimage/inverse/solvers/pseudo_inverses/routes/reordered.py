"""A map between rearrangements: solve the core, rearrange around it."""

from __future__ import annotations

from typing import final

from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.composition import Composition
from preimage.inverse.linear.reshape import Permute, Reshape
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import (
    PseudoInverse,
    pseudo_inverse,
    register_route,
)


@register_route
@final
class Reordered(PseudoInverse):
    """(P A Q)+ = Q' A+ P' for permutations P and Q.

    Cost: that of A+.
    """

    route = "rearranged"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the first or last part only rearranges."""
        return isinstance(linear, Composition) and (_moves(linear.parts[0]) or _moves(linear.parts[-1]))

    def _factorise(self, linear: LinearMap) -> Facts:
        parts = list(linear.parts) if isinstance(linear, Composition) else [linear]
        self._first = parts.pop(0) if _moves(parts[0]) else None
        self._last = parts.pop() if _moves(parts[-1]) else None
        self._core = pseudo_inverse(parts[0] if len(parts) == 1 else Composition(parts))
        return self._core.facts

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x, iterations = self._core._solve(z if self._last is None else self._last.adjoint(z))
        return (x if self._first is None else self._first.adjoint(x)), iterations

    def __str__(self) -> str:
        facts = self.facts
        return f"{self._core.route}, {self.route}: {facts}"


def _moves(part: LinearMap) -> bool:
    return isinstance(part, Reshape | Permute)
