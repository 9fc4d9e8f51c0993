"""A matrix on the last axis: one decomposition serves every position."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.dense import Dense
from preimage.inverse.solvers.linear_systems.spectral import decompose
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class PerPosition(PseudoInverse):
    """x = W+ z at every position.

    Cost: one decomposition of (out, in), then one matrix product a call.
    """

    route = "one singular value decomposition per position"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is a matrix on the last axis."""
        return isinstance(linear, Dense)

    def _factorise(self, linear: LinearMap) -> Facts:
        found = decompose(linear.tensors()[0])
        self._inverse = found.inverse
        positions = linear.in_size // max(linear.in_shape[-1], 1)
        return Facts(linear.in_size, linear.out_size, found.rank * positions, found.condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x = z @ self._inverse.to(z).T
        return x, torch.zeros(z.shape[0], dtype=torch.long, device=z.device)
