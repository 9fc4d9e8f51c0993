"""What ``preimage train`` does: read, split, train, save, measure, draw."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from preimage import __version__, flows
from preimage.cli.density.choice import Choice
from preimage.cli.density.frame import Frame
from preimage.cli.density.material import Material, check_preset, settings_of
from preimage.cli.density.opened import NOTE
from preimage.cli.density.reading import read
from preimage.errors import DataFileError, OutputError
from preimage.flows import TabularFlow
from preimage.flows.report.figures import new_figure

LEAST = 10  # rows below which nothing can be learnt


@dataclass(frozen=True)
class Order:
    """What to train on what.

    Args:
        data: table, array or folder of pictures.
        out: folder of the model.
        choice: which part of the data.
        preset: name; by default that of the kind of data.
        options: arguments of the preset as ``name=value``.
        settings: of the training run.
        validation: share of the rows that chooses the weights.
        test: share of the rows that the report is measured on.
        samples: how many the report draws.
        report: whether there is a report.
    """

    data: Path
    out: Path
    choice: Choice = field(default_factory=Choice)
    preset: str | None = None
    options: Sequence[str] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    validation: float = 0.1
    test: float = 0.1
    samples: int = 2000
    report: bool = True


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on, to choose the weights with, and to report on; the last two may be empty."""

    train: Material
    validation: Material | None
    test: Material | None

    def measured(self) -> tuple[str, Material]:
        """The rows that the report is about, and what they are."""
        for name, part in (("test", self.test), ("validation", self.validation)):
            if part is not None:
                return name, part
        return "training", self.train


def carry_out(order: Order) -> dict[str, Any]:
    """Train, and write model and report.

    Returns:
        The numbers of the report, or without one what was trained.

    Raises:
        OutputError: the folder exists or cannot be written; found out before any work is done.
        DataFileError: the data cannot be read or are too few.
        PreimageError: preset or settings do not fit.
    """
    check_new(order.out)
    settings = settings_of(**order.settings)
    if order.preset is not None:
        check_preset(order.preset, [Frame.preset, *flows.PRESETS])
    if order.report:
        new_figure(1, 1)  # an absent matplotlib is found out before the training, not after it
    material = read(order.data, _choice(order))
    split = _split(material, order)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        model = material.build(order.preset, order.options)
    begun = time.perf_counter()
    split.train.fit(model, split.validation, settings | {"hold_out": 0.0})
    seconds = time.perf_counter() - begun
    _save(model, order.out, material)
    return _reported(order, split, model, seconds)


def check_new(out: Path) -> None:
    """Refuse a folder that holds anything: a trained model is never replaced.

    Raises:
        OutputError: it does, or its place cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists already; choose a new folder for the model, or move it away")
    parent = next(p for p in out.absolute().parents if p.exists())
    if not parent.is_dir():
        raise OutputError(f"{out} cannot be made: {parent} is a file; choose another place")


def _choice(order: Order) -> Choice:
    """A preset other than that of tables wants numbers."""
    return replace(order.choice, numbers=order.preset not in (None, Frame.preset))


def _split(material: Material, order: Order) -> Split:
    rows, seed = len(material), order.settings["seed"]
    test, held = int(order.test * rows), int(order.validation * rows)
    if rows - test - held < LEAST:
        raise DataFileError(
            f"{order.data}: {rows - test - held} of {rows} rows are left for training, wanted {LEAST} or"
            " more; give more rows, or smaller --validation and --test"
        )
    index = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    train, validation, tested = index.split([rows - test - held, held, test])
    return Split(
        material.take(train),
        material.take(validation) if len(validation) else None,
        material.take(tested) if len(tested) else None,
    )


def _save(model: Any, out: Path, material: Material) -> None:
    model.save(out) if isinstance(model, TabularFlow) else flows.save(model, out)
    note = {"schema": "preimage.data/1", "kind": material.kind} | material.note()
    (out / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def _reported(order: Order, split: Split, model: Any, seconds: float) -> dict[str, Any]:
    measured_on, part = split.measured()
    facts = {
        "model": str(order.out),
        "data": order.data.name,
        "rows": {name: len(p) if p is not None else 0 for name, p in vars(split).items()},
        "measured_on": measured_on,
        "settings": {name: value for name, value in order.settings.items() if name != "progress"},
        "seconds": seconds,
        "versions": {"preimage": __version__, "torch": torch.__version__},
    }
    if not order.report:
        return facts | {"history": list(model.history)}
    found = part.describe(
        model, f"What was learnt from {order.data.name}", order.samples, order.settings["seed"]
    )
    shown, numbers = dict(found.facts) | {"trained in": _time(seconds)}, facts | dict(found.numbers)
    replace(found, facts=shown, numbers=numbers).save(order.out)
    return facts | dict(found.numbers) | {"lead": found.lead}


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
