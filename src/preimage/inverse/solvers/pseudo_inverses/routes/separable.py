"""Maps that act along each axis in turn: (A x B)+ = A+ x B+."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.pool import SeparableAverage
from preimage.inverse.solvers.linear_systems.spectral import decompose
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class Separable(PseudoInverse):
    """Average pooling: the pseudo-inverse of the small matrix of each axis.

    Cost: one small decomposition an axis, then one matrix product an axis.
    """

    route = "one singular value decomposition per axis"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is an average pool."""
        return isinstance(linear, SeparableAverage)

    def _factorise(self, linear: LinearMap) -> Facts:
        if not isinstance(linear, SeparableAverage):
            raise TypeError(f"{linear} is not separable")
        found = [decompose(matrix) for matrix in linear.matrices]
        lead = linear.in_shape[: len(linear.in_shape) - len(found)]
        self._inverse = SeparableAverage(linear.out_shape, [f.inverse for f in found])
        rank = math.prod(lead) * math.prod(f.rank for f in found)
        condition = math.prod(f.condition for f in found)
        return Facts(linear.in_size, linear.out_size, rank, condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._inverse.apply(z), torch.zeros(z.shape[0], dtype=torch.long, device=z.device)
