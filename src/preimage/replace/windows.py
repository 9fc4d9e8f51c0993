"""A map cut into windows that touch and do not overlap, and put together again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor

from preimage.errors import ShapeError
from preimage.functional.signals.phases import gather_phases, scatter_phases


@final
class TouchingWindows:
    """Windows of a map ``(N, C, *sizes)``: ``(N * windows, C, P)`` with P positions each.

    Args:
        factors: size of a window along every axis of space; the whole map for a global pool.

    Example:
        >>> import torch
        >>> windows = TouchingWindows((2, 2))
        >>> windows.cut(torch.zeros(5, 3, 4, 4)).shape
        torch.Size([20, 3, 4])
    """

    def __init__(self, factors: Sequence[int]) -> None:
        self.factors = tuple(factors)
        if not 1 <= len(self.factors) <= 3 or min(self.factors) < 1:
            raise ShapeError(f"windows of sizes {self.factors}: wanted 1 to 3 positive sizes")

    @property
    def positions(self) -> int:
        """P."""
        return math.prod(self.factors)

    def cut(self, x: Tensor) -> Tensor:
        """The windows of x ``(N, C, *sizes)``, one row each."""
        fits = x.dim() == 2 + len(self.factors) and all(
            size % factor == 0 for size, factor in zip(x.shape[2:], self.factors, strict=True)
        )
        if not fits:
            raise ShapeError(
                f"got a map of shape {tuple(x.shape)}, wanted (N, C, ...) with sizes that are multiples of"
                f" {self.factors}"
            )
        phases = gather_phases(x, self.factors)  # (N, C, P, *blocks)
        rows = phases.flatten(3) if phases.dim() > 3 else phases[..., None]  # (N, C, P, M)
        return rows.permute(0, 3, 1, 2).reshape(-1, x.shape[1], self.positions)

    def rows(self, y: Tensor) -> Tensor:
        """Pooled values ``(N, C, *blocks)`` as one row a window, ``(N * windows, C)``."""
        if y.dim() != 2 + len(self.factors):
            raise ShapeError(
                f"got pooled values of shape {tuple(y.shape)}, wanted (N, C) and {len(self.factors)} sizes"
            )
        return y.flatten(2).movedim(1, 2).reshape(-1, y.shape[1])

    def join(self, windows: Tensor, blocks: Sequence[int]) -> Tensor:
        """The map ``(N, C, *sizes)`` of windows ``(N * windows, C, P)``, so many along every axis."""
        count = math.prod(blocks)
        rows = windows.reshape(-1, count, *windows.shape[1:]).permute(0, 2, 3, 1)  # (N, C, P, M)
        return scatter_phases(rows.reshape(*rows.shape[:3], *blocks), self.factors)
