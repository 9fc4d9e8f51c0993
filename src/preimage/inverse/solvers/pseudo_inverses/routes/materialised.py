"""Small maps and depthwise convolutions: write the matrix down and decompose it once."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.solvers.linear_systems.spectral import decompose
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route

LARGEST = 2048
"""Most unknowns or equations of one matrix."""

WORK = 4e10
"""Most multiplications of one factorisation, about ten seconds of one core."""


@register_route
@final
class Materialised(PseudoInverse):
    """x = A+ z with the matrix of A, one for each group of channels.

    Cost: ``groups * m * n * min(m, n)`` once, one matrix product a call.
    """

    route = "decomposition of the whole matrix"
    preference = 1

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the matrices are small enough."""
        groups = _groups(linear)
        m, n = linear.out_size // groups, linear.in_size // groups
        return max(m, n) <= LARGEST and 10.0 * groups * m * n * min(m, n) <= WORK

    def _factorise(self, linear: LinearMap) -> Facts:
        self._groups = _groups(linear)
        found = decompose(matrices(linear))
        self._inverse = found.inverse  # (groups, n, m)
        return Facts(linear.in_size, linear.out_size, found.rank, found.condition, certified=True)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        columns = z.reshape(z.shape[0], self._groups, -1).permute(1, 2, 0)
        x = (self._inverse.to(z) @ columns).permute(2, 0, 1).reshape(z.shape[0], *self._linear.in_shape)
        return x, torch.zeros(z.shape[0], dtype=torch.long, device=z.device)


def _groups(linear: LinearMap) -> int:
    return linear.groups if isinstance(linear, Convolution) else 1


def matrices(linear: LinearMap) -> Tensor:
    """(groups, m, n): all groups answer the same impulse at once."""
    groups = _groups(linear)
    width = linear.in_size // groups
    device = next((t.device for t in linear.tensors()), None)
    impulses = torch.eye(width, dtype=torch.float64, device=device)
    impulses = impulses.repeat(1, groups).view(width, *linear.in_shape)
    return linear.apply(impulses).reshape(width, groups, -1).permute(1, 2, 0)
