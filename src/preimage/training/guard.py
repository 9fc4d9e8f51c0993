"""When a run has diverged, and the state that it goes back to."""

from __future__ import annotations

import math
from typing import Any

from preimage.training.state import Tensors

PATIENCE = 5  # bad steps in a row: a single one is often an unlucky batch, which the clipping survives
SMOOTHING = 0.98
ALLOWED = 30.0  # in mean deviations: a training loss jumps by a few of them, a divergence by thousands


class Guard:
    """Watches the loss of every step, and keeps the last good state.

    A step is bad if its loss is not finite, or lies far above the running mean of the losses, measured in
    their mean deviation.
    """

    def __init__(self) -> None:
        self.mean, self.deviation, self.seen, self.bad = 0.0, 0.0, 0, 0
        self.snapshot: tuple[Tensors, dict[str, Any]] | None = None

    def diverged(self, loss: float, finite: bool) -> bool:
        """Take note of a step; whether it was one bad step too many."""
        distance = loss - self.mean
        jumped = self.seen > PATIENCE and distance > ALLOWED * (self.deviation + 1e-3 * abs(self.mean) + 1e-3)
        if not finite or not math.isfinite(loss) or jumped:
            self.bad += 1
            return self.bad >= PATIENCE
        self.bad = 0
        weight = max(1 - SMOOTHING, 1 / (self.seen + 1))
        self.mean += weight * distance
        self.deviation += weight * (abs(distance) - self.deviation)
        self.seen += 1
        return False

    def keep(self, tensors: Tensors, plain: dict[str, Any]) -> None:
        """Remember a good state; not while bad steps are being counted."""
        if self.bad == 0:
            self.snapshot = tensors, plain

    def plain(self) -> dict[str, Any]:
        """What a checkpoint holds besides the snapshot's tensors."""
        kept = None if self.snapshot is None else self.snapshot[1]
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "seen": self.seen,
            "bad": self.bad,
            "kept": kept,
        }

    def tensors(self) -> Tensors:
        """The tensors of the snapshot."""
        return {} if self.snapshot is None else self.snapshot[0]

    def restore(self, tensors: Tensors, plain: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.mean, self.deviation = plain["mean"], plain["deviation"]
        self.seen, self.bad = plain["seen"], plain["bad"]
        self.snapshot = None if plain["kept"] is None else (tensors, plain["kept"])
