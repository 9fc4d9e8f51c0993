"""What a user may choose about a training run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from preimage.training.parameter_groups import ParameterGroup
from preimage.training.schedule import ScheduleRule

SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class FitSettings:
    """The settings of :func:`preimage.training.fit`, checked when they are made.

    Args:
        epochs: passes over the data at most.
        steps: optimiser steps at most; by default as many as the epochs hold.
        batch_size: rows of a step over all processes together.
        learning_rate: of AdamW, at the top of the schedule.
        weight_decay: of AdamW.
        schedule: ``"cosine"`` from the top to zero after a warm-up, ``"constant"`` after a warm-up, or a rule
            with a warm-up of its own, such as :class:`~preimage.training.CosineCycles`.
        warm_up: share of the steps over which the learning rate rises, in [0, 1).
        groups: parameters with a learning rate of their own, see :class:`~preimage.training.ParameterGroup`.
        clip: largest norm of the gradient; longer ones are shortened; infinity for none.
        hold_out: share of the rows held out, in [0, 1), where no validation data are given.
        patience: epochs without a better validation loss after which training stops; 0 for never.
        average: decay of the exponential moving average of the weights, which is what is kept in the end, in
            [0, 1); 0 for none.
        precision: dtype of autocast, such as ``torch.bfloat16``; None for none.
        seed: of the data order, the hold-out and the noise that the model draws.
        rollbacks: how often training may go back after a divergence before it gives up.
        checkpoint: directory for checkpoints; a run that finds one there goes on from it. None for none.
        checkpoint_every: steps between two checkpoints; by default one an epoch.
        log: directory for ``history.jsonl``; None for none.
        tensorboard: directory for TensorBoard; None for none.
        progress: whether a bar is shown.

    Raises:
        ValueError: a setting is outside its range, with the range.

    Example:
        >>> FitSettings(epochs=3).batch_size
        256
    """

    epochs: int = 100
    steps: int | None = None
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str | ScheduleRule = "cosine"
    warm_up: float = 0.05
    groups: tuple[ParameterGroup, ...] = ()
    clip: float = 5.0
    hold_out: float = 0.1
    patience: int = 20
    average: float = 0.0
    precision: torch.dtype | None = None
    seed: int = 0
    rollbacks: int = 5
    checkpoint: str | Path | None = None
    checkpoint_every: int | None = None
    log: str | Path | None = None
    tensorboard: str | Path | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _check(self, name, getattr(self, name) >= 1, "1 or more")
        for name in ("patience", "rollbacks", "weight_decay"):
            _check(self, name, getattr(self, name) >= 0, "0 or more")
        for name in ("warm_up", "hold_out", "average"):
            _check(self, name, 0 <= getattr(self, name) < 1, "in [0, 1)")
        for name in ("steps", "checkpoint_every"):
            value = getattr(self, name)
            _check(self, name, value is None or value >= 1, "1 or more, or None")
        _check(self, "learning_rate", 0 < self.learning_rate < math.inf, "a positive number, such as 1e-3")
        _check(self, "clip", self.clip > 0, "positive; math.inf for none")
        known = isinstance(self.schedule, ScheduleRule) or self.schedule in SCHEDULES
        words = ", ".join(map(repr, SCHEDULES))
        _check(self, "schedule", known, f"one of {words}, or a rule such as CosineCycles()")

    def plain(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON can hold them; a checkpoint only fits the same."""
        silent = {"checkpoint", "checkpoint_every", "log", "tensorboard", "progress"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in silent}
        schedule = self.schedule if isinstance(self.schedule, str) else self.schedule.plain()
        return values | {
            "clip": str(self.clip),  # JSON has no infinity
            "groups": [asdict(group) for group in self.groups],
            "precision": None if self.precision is None else str(self.precision),
            "schedule": schedule,
        }


def _check(settings: FitSettings, name: str, fits: bool, wanted: str) -> None:
    if not fits:
        raise ValueError(f"fit: {name} is {getattr(settings, name)!r}, wanted {wanted}")
