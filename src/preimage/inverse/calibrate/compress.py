"""Principal components of very wide regressors, found from the first rows of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor


@final
class Compression:
    """Hold rows back until there are enough to find their principal axes, then pass all rows projected.

    With fewer rows than ``limit`` nothing is lost: the axes span all rows, and ridge regression on them
    equals its dual form. Regressors that are not wider than ``limit`` pass unchanged.

    Args:
        width: number of regressors D.
        limit: most regressors that are passed on.
    """

    def __init__(self, width: int, limit: int) -> None:
        self.active = width > limit
        self.limit = limit
        self.axes: Tensor | None = None  # (D, K)
        self._waiting: list[tuple[int, Tensor, Tensor]] = []

    def push(self, fold: int, y: Tensor, x: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Take in rows ``y (R, D)`` and ``x (R, T)`` of a fold; yield what is ready."""
        if not self.active or self.axes is not None:
            yield fold, self._project(y), x
            return
        self._waiting.append((fold, y, x))
        if sum(len(held) for _, held, _ in self._waiting) >= self.limit:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Find the axes from the rows held back, and yield these."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.axes = principal_axes(torch.cat([y for _, y, _ in waiting]), self.limit)
        for fold, y, x in waiting:
            yield fold, self._project(y), x

    def expand(self, weight: Tensor) -> Tensor:
        """A weight for the projected regressors ``(K, T)`` as one for the original ones ``(D, T)``."""
        return weight if self.axes is None else self.axes.to(weight.dtype) @ weight

    def _project(self, y: Tensor) -> Tensor:
        return y if self.axes is None else y @ self.axes


def principal_axes(rows: Tensor, limit: int) -> Tensor:
    """Orthonormal axes ``(D, K)`` of the largest variance of rows ``(R, D)`` around zero, K <= limit."""
    tall = rows.double()
    power, combination = torch.linalg.eigh(tall @ tall.T)  # (R, R): fewer rows than columns
    good = power > power.max() * 1e-12
    axes = tall.T @ (combination[:, good] / power[good].sqrt())
    return axes[:, -limit:].to(rows.dtype)
