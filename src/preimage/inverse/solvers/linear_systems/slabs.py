"""A tensor cut along one spatial axis into slabs that only see their neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import Shape

COLOURS = 3
"""Slabs of one colour do not see each other: their columns can be asked for at once."""

PROBE = 2**23
"""Most numbers in one batch of unit vectors."""


@final
@dataclass(frozen=True)
class Slabs:
    """How events ``(C, *size)`` are cut.

    Args:
        shape: event shape, channels first.
        groups: independent groups of channels.
        axis: spatial axis that is cut, counted from 0.
        reach: positions along this axis that see each other; the thickness of a slab.
    """

    shape: Shape
    groups: int
    axis: int
    reach: int

    @property
    def blocks(self) -> int:
        """Number of slabs."""
        return -(-self.shape[self.axis + 1] // self.reach)

    @property
    def size(self) -> int:
        """Numbers of one slab and group, padding included."""
        return math.prod(self.shape) // self.shape[self.axis + 1] // self.groups * self.reach

    @property
    def work(self) -> float:
        """Multiplications of a block factorisation."""
        return 3.0 * self.blocks * self.groups * self.size**3

    @property
    def memory(self) -> int:
        """Numbers in its factors."""
        return 2 * self.blocks * self.groups * self.size**2

    def cut(self, x: Tensor) -> Tensor:
        """``(N, *shape)`` to ``(blocks, groups, size, N)``, zeros behind the end."""
        rows = x.unflatten(1, (self.groups, -1)).movedim(self.axis + 3, 0)  # (L, N, groups, c, *rest)
        spare = self.blocks * self.reach - rows.shape[0]
        rows = torch.cat([rows, rows.new_zeros(spare, *rows.shape[1:])]) if spare else rows
        slabs = rows.unflatten(0, (self.blocks, self.reach))  # (blocks, reach, N, groups, c, *rest)
        return slabs.movedim(1, 3).flatten(3).permute(0, 2, 3, 1)

    def join(self, slabs: Tensor) -> Tensor:
        """The reverse of ``cut``."""
        batch, rest = slabs.shape[3], [s for i, s in enumerate(self.shape[1:]) if i != self.axis]
        channels = self.shape[0] // self.groups
        parts = slabs.permute(0, 3, 1, 2).reshape(
            self.blocks, batch, self.groups, self.reach, channels, *rest
        )
        rows = parts.movedim(3, 1).flatten(0, 1)[: self.shape[self.axis + 1]]
        return rows.movedim(0, self.axis + 3).reshape(batch, *self.shape)

    def blocks_of(self, operator: Callable[[Tensor], Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        """Diagonal blocks and those below them of a symmetric operator on ``(N, *shape)``.

        The rows behind the end become those of the unit matrix.

        Cost: ``3 size`` applications.
        """
        shape = (self.blocks, self.groups, self.size, self.size)
        diagonal, below = like.new_zeros(shape), like.new_zeros(shape)
        step = max(1, PROBE // (self.blocks * self.groups * self.size))
        for colour in range(min(COLOURS, self.blocks)):
            for first in range(0, self.size, step):
                columns = range(first, min(first + step, self.size))
                found = self.cut(operator(self._units(colour, columns, like)))
                own = slice(colour, None, COLOURS)
                diagonal[own, :, :, first : columns.stop] = found[own]
                after = found[colour + 1 :: COLOURS]
                below[own, :, :, first : columns.stop][: len(after)] = after
        flat = diagonal.diagonal(dim1=-2, dim2=-1)
        flat += (flat == 0).to(flat)
        return diagonal, below[:-1]

    def _units(self, colour: int, columns: range, like: Tensor) -> Tensor:
        units = like.new_zeros(self.blocks, self.groups, self.size, len(columns))
        picked = torch.arange(len(columns), device=like.device)
        units[colour::COLOURS, :, picked + columns.start, picked] = 1
        return self.join(units)
