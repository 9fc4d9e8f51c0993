"""Selections: average the copies, zero where there is none."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.selection import Selection
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class SelectedEntries(PseudoInverse):
    """A+ = (A'A)+ A', where A'A is diagonal and counts the copies of each value.

    Cost: one adjoint.
    """

    route = "mean of the selected copies"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether each output copies one input or is zero."""
        return isinstance(linear, Selection)

    def _factorise(self, linear: LinearMap) -> Facts:
        counts = linear.adjoint(torch.ones(1, *linear.out_shape, dtype=torch.float64))[0]
        self._weight = torch.where(counts > 0, counts.reciprocal(), 0)
        live = counts[counts > 0]
        condition = (live.max() / live.min()).sqrt().item() if live.numel() else math.inf
        return Facts(linear.in_size, linear.out_size, live.numel(), condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x = self._linear.adjoint(z) * self._weight.to(z)
        return x, torch.zeros(z.shape[0], dtype=torch.long, device=z.device)
