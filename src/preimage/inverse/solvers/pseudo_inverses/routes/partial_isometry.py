"""Maps that only move or drop values: the adjoint is the pseudo-inverse."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.identity import Identity
from preimage.inverse.linear.pad import Pad
from preimage.inverse.linear.reshape import Permute, Reshape
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class PartialIsometry(PseudoInverse):
    """A+ = A' for identity, view, permutation, zero padding and cropping.

    Cost: one adjoint.
    """

    route = "adjoint of a rearrangement"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether every row and column holds at most a single one."""
        return isinstance(linear, Identity | Reshape | Permute | Pad)

    def _factorise(self, linear: LinearMap) -> Facts:
        rank = _kept(linear) if isinstance(linear, Pad) else linear.in_size
        return Facts(linear.in_size, linear.out_size, rank, 1.0, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._linear.adjoint(z), torch.zeros(z.shape[0], dtype=torch.long, device=z.device)


def _kept(pad: Pad) -> int:
    first = len(pad.in_shape) - len(pad.padding)
    kept = [
        size + min(before, 0) + min(after, 0)
        for size, (before, after) in zip(pad.in_shape[first:], pad.padding, strict=True)
    ]
    return math.prod(pad.in_shape[:first]) * math.prod(max(k, 0) for k in kept)
