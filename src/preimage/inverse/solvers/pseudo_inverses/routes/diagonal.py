"""Diagonal maps: divide, and give zero where the factor is zero."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.scale import Scale
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class Diagonal(PseudoInverse):
    """x = z / scale, and 0 where scale = 0.

    Cost: one product.
    """

    route = "division by the diagonal"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is one factor for each value."""
        return isinstance(linear, Scale)

    def _factorise(self, linear: LinearMap) -> Facts:
        scale = linear.tensors()[0].detach()
        size = scale.double().abs()
        self._reciprocal = torch.where(size > 0, scale.double().reciprocal(), 0)
        zeros = int((size == 0).sum()) * (linear.in_size // max(scale.numel(), 1))
        live = size[size > 0]
        condition = (live.max() / live.min()).item() if live.numel() else math.inf
        return Facts(linear.in_size, linear.out_size, linear.in_size - zeros, condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z * self._reciprocal.to(z), torch.zeros(z.shape[0], dtype=torch.long, device=z.device)
