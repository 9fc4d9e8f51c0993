"""Watching long solves: progress for people, and a way to stop with the best answer so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final

from torch import Tensor

Progress = Callable[[int, Tensor], bool | None]
"""Called after each step with its number and the relative residuals ``(N,)``; True stops the solve."""


class Search(Protocol):
    """An iterative solver that keeps the best answer of every sample."""

    def running(self) -> Tensor:
        """Indices of the samples that are neither solved nor given up, ``(K,)``."""
        ...

    def relative(self) -> Tensor:
        """Relative residuals, ``(N,)``."""
        ...

    def step(self, rows: Tensor) -> None:
        """One step of the samples ``rows (K,)``."""
        ...


@final
class Watch:
    """One solve as its watcher sees it, however many methods share the work.

    Args:
        progress: called after each step; None to watch for the interrupt key only.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress
        self.steps = 0
        self.ended = ""
        """Why the solve was cut short; empty while it was not."""

    def drive(self, search: Search) -> None:
        """Step until no sample is left, the callback asks to stop, or the user presses the interrupt key."""
        try:
            while not self.ended and len(rows := search.running()):
                search.step(rows)
                self._count(search)
        except KeyboardInterrupt:
            self.ended = f"interrupted in step {self.steps + 1}; this is the best answer so far"

    def _count(self, search: Search) -> None:
        self.steps += 1
        if self.progress is not None and self.progress(self.steps, search.relative()):
            self.ended = f"stopped after {self.steps} steps as asked; this is the best answer so far"


def drive(search: Search, watch: Watch | None) -> None:
    """Step until no sample is left, under a watch where there is one; else an interrupt goes on its way."""
    if watch is not None:
        watch.drive(search)
        return
    while len(rows := search.running()):
        search.step(rows)
