"""Checkpoints from which a run goes on as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preimage.errors import ModelFileError
from preimage.storage import MANIFEST, read_directory, write_directory
from preimage.training import processes, state
from preimage.training.guard import Guard
from preimage.training.history import Record
from preimage.training.run import Run
from preimage.training.settings import FitSettings
from preimage.training.state import Tensors

KIND, VERSION = "training run", 1


@dataclass
class Progress:
    """Where a run is, beside the state of the model.

    Args:
        epoch: number of the epoch.
        position: batches of it that are done.
        loss_sum: of their losses.
        best: lowest validation loss so far, and None before the first.
        waited: epochs since then.
        weights: of the model that had it.
        records: what the history holds.
    """

    epoch: int = 0
    position: int = 0
    loss_sum: float = 0.0
    best: float | None = None
    waited: int = 0
    weights: Tensors = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {name: value for name, value in vars(self).items() if name != "weights"}


def save(settings: FitSettings, data: str, run: Run, guard: Guard, progress: Progress) -> None:
    """Write a checkpoint; the first process writes, with the random numbers of all.

    Args:
        settings: of the run.
        data: fingerprint of the rows to train on and to validate with.
        run: as it is.
        guard: as it is.
        progress: as it is.
    """
    random = processes.gathered(state.random_tensors())
    if settings.checkpoint is not None and processes.rank() == 0:
        tensors = run.tensors() | state.prefixed("guard", guard.tensors())
        tensors |= state.prefixed("best", progress.weights)
        for number, generators in enumerate(random):
            tensors |= state.prefixed(f"random.{number}", generators)
        config = {
            "settings": settings.plain(),
            "data": data,
            "processes": processes.world(),
            "run": run.plain(),
            "guard": guard.plain(),
            "progress": progress.plain(),
        }
        write_directory(settings.checkpoint, KIND, VERSION, tensors, config)
    processes.wait()


def load(settings: FitSettings, data: str, run: Run, guard: Guard) -> Progress | None:
    """Go on from a checkpoint, if there is one; arguments as for :func:`save`.

    Raises:
        ModelFileError: it cannot be read, or belongs to a run with other settings or other data.
    """
    if settings.checkpoint is None or not (Path(settings.checkpoint) / MANIFEST).exists():
        return None
    tensors, config = read_directory(settings.checkpoint, KIND, VERSION)
    _check_same(settings, config)
    _check_data(settings, data, config)
    try:
        run.restore(tensors, config["run"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelFileError(
            f"{settings.checkpoint}: is of another model: {error}; choose another checkpoint directory"
        ) from error
    guard.restore(state.unprefixed("guard", tensors), config["guard"])
    state.restore_random(state.unprefixed(f"random.{processes.rank()}", tensors))
    return Progress(**config["progress"], weights=state.unprefixed("best", tensors))


def _check_same(settings: FitSettings, config: dict[str, Any]) -> None:
    now = settings.plain() | {"processes": processes.world()}
    then = config["settings"] | {"processes": config["processes"]}
    differing = [
        f"{name} was {then.get(name)!r}, is {now[name]!r}" for name in now if then.get(name) != now[name]
    ]
    if differing:
        raise ModelFileError(
            f"{settings.checkpoint}: is of another run: {'; '.join(differing)}; use the same settings to"
            " go on, or another checkpoint directory to start anew"
        )


def _check_data(settings: FitSettings, data: str, config: dict[str, Any]) -> None:
    """Refuse to go on with other rows; checkpoints of earlier versions do not say which theirs were."""
    then = config.get("data", data)
    if then != data:
        raise ModelFileError(
            f"{settings.checkpoint}: is of a run on other data: they were {then}, are {data} (kind, shape and"
            " hash of the rows); give the same data in the same order to go on, or another checkpoint"
            " directory to start anew"
        )
