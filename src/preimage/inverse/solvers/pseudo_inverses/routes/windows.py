"""Convolutions whose windows do not overlap: one decomposition serves every window."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.linear.folding import with_weight
from preimage.inverse.linear.transposed import TransposedConvolution
from preimage.inverse.solvers.linear_systems.spectral import Decomposed, decompose
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


def disjoint(convolution: Convolution) -> bool:
    """Whether no sample is read by two windows and no window reads outside."""
    apart = all(span <= stride for span, stride in zip(convolution.span, convolution.stride, strict=True))
    return apart and all(max(pair) <= 0 for pair in convolution.padding)


def dual(convolution: Convolution) -> tuple[Convolution, Decomposed]:
    """The convolution whose adjoint is the pseudo-inverse of this one, which must be disjoint."""
    weight = convolution.weight
    matrices = weight.reshape(convolution.groups, weight.shape[0] // convolution.groups, -1)
    found = decompose(matrices)  # (groups, in * taps, out)
    return with_weight(convolution, found.inverse.mT.reshape(weight.shape)), found


@register_route
@final
class DisjointWindows(PseudoInverse):
    """x = W+ z in every window: 1x1 convolutions with any groups, and kernel <= stride (patch embeddings).

    Cost: one decomposition of (out / groups, in / groups * taps) a group, then one transposed convolution.
    """

    route = "one singular value decomposition per window"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is a convolution with disjoint windows."""
        return isinstance(linear, Convolution) and disjoint(linear)

    def _factorise(self, linear: LinearMap) -> Facts:
        if not isinstance(linear, Convolution):
            raise TypeError(f"{linear} is no convolution")
        self._dual, found = dual(linear)
        rank = found.rank * math.prod(linear.out_shape[1:])
        return Facts(linear.in_size, linear.out_size, rank, found.condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._dual.adjoint(z), torch.zeros(z.shape[0], dtype=torch.long, device=z.device)


@register_route
@final
class SpreadWindows(PseudoInverse):
    """The same for a transposed convolution whose windows do not overlap (learned up-sampling).

    Cost: one decomposition a group, then one convolution.
    """

    route = "one singular value decomposition per window, spread"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is a transposed convolution with disjoint windows."""
        return isinstance(linear, TransposedConvolution) and disjoint(linear.convolution)

    def _factorise(self, linear: LinearMap) -> Facts:
        if not isinstance(linear, TransposedConvolution):
            raise TypeError(f"{linear} is no transposed convolution")
        self._dual, found = dual(linear.convolution)
        rank = found.rank * math.prod(linear.in_shape[1:])
        return Facts(linear.in_size, linear.out_size, rank, found.condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._dual.apply(z), torch.zeros(z.shape[0], dtype=torch.long, device=z.device)
