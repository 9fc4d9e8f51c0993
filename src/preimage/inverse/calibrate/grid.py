"""How the positions of a tap tile the input, for maps of one or two spatial axes and for plain vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError

MapShape = tuple[int, int, int]  # (C, H, W); a missing spatial axis has size 1


def as_map(shape: Sequence[int]) -> MapShape:
    """Read ``(C, H, W)``, ``(C, L)`` or ``(F,)`` as channels and two axes; more axes are flattened."""
    if not shape or min(shape) < 1:
        raise ShapeError(f"an event shape needs at least one axis, all of size >= 1; got {tuple(shape)}")
    if len(shape) > 3:
        return int(torch.Size(shape).numel()), 1, 1
    channels, height, width = (*shape, 1, 1)[:3]
    return channels, height, width


@final
@dataclass(frozen=True)
class Grid:
    """The tiling of an input by the positions of a tap.

    Position i of n along an axis owns the input samples ``floor(i L / n) .. floor((i+1) L / n) - 1``.
    All blocks have the size ``ceil(L / n)``, so blocks overlap where n does not divide L; each input
    sample is then taken from its owner. A tap without spatial relation to the input is one position.
    """

    input_map: MapShape
    tap_map: MapShape

    @staticmethod
    def between(input_shape: Sequence[int], tap_shape: Sequence[int]) -> Grid:
        """The grid of two event shapes; a tap with other axes than the input counts as one vector."""
        related = len(input_shape) == len(tap_shape) <= 3
        tap = tuple(tap_shape) if related else (int(torch.Size(tap_shape).numel()),)
        return Grid(as_map(input_shape), as_map(tap))

    @property
    def positions(self) -> tuple[int, int]:
        """Positions along both spatial axes."""
        return self.tap_map[1], self.tap_map[2]

    @property
    def block(self) -> MapShape:
        """Channels, height and width of the input block of one position."""
        channels, *lengths = self.input_map
        height, width = (-(-n // p) for n, p in zip(lengths, self.positions, strict=True))
        return channels, height, width

    def blocks(self, x: Tensor) -> Tensor:
        """Cut inputs ``(N, *input)`` into blocks ``(N, h, w, C, b_h, b_w)``."""
        x = x.reshape(-1, *self.input_map)  # (N, C, H, W)
        (h, w), (channels, b_h, b_w) = self.positions, self.block
        x = x.index_select(2, self._starts(0, x.device)).index_select(3, self._starts(1, x.device))
        return x.view(-1, channels, h, b_h, w, b_w).permute(0, 2, 4, 1, 3, 5)

    def assemble(self, blocks: Tensor) -> Tensor:
        """Lay blocks ``(N, h, w, C, b_h, b_w)`` side by side: ``(N, C, H, W)``. Undoes :meth:`blocks`."""
        n, h, w, channels, b_h, b_w = blocks.shape
        x = blocks.permute(0, 3, 1, 4, 2, 5).reshape(n, channels, h * b_h, w * b_w)
        rows, columns = self._owned(0, x.device), self._owned(1, x.device)
        if rows is not None:
            x = x.index_select(2, rows)
        return x if columns is None else x.index_select(3, columns)

    def _lengths(self, axis: int) -> tuple[int, int, int]:
        return self.input_map[1 + axis], self.positions[axis], self.block[1 + axis]

    def _starts(self, axis: int, device: torch.device) -> Tensor:
        length, positions, block = self._lengths(axis)
        start = torch.arange(positions, device=device) * length // positions
        return (start[:, None] + torch.arange(block, device=device)).clamp_max(length - 1).flatten()

    def _owned(self, axis: int, device: torch.device) -> Tensor | None:
        length, positions, block = self._lengths(axis)
        if length == positions * block:
            return None
        start = torch.arange(positions, device=device) * length // positions
        sample = torch.arange(length, device=device)
        owner = torch.searchsorted(start, sample, right=True) - 1
        return owner * block + sample - start[owner]
