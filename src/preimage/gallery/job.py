"""The whole job: measure, then write everything into a folder that appears only when it is complete."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preimage import __version__
from preimage.errors import PictureError
from preimage.gallery.answers import Memory
from preimage.gallery.engine import Engine, Painter
from preimage.gallery.folder import MARK, check_target, whole_folder
from preimage.gallery.measure import Effort, Measurement, measure
from preimage.gallery.page import page
from preimage.gallery.progress import Progress, Silence
from preimage.gallery.records import Depth, Record
from preimage.gallery.sheets import sheet, strip
from preimage.inverse.reporting.ledger import Ledger
from preimage.zoo import Network


@dataclass(frozen=True)
class Job:
    """What to show.

    Args:
        network: the network, with its preprocessing.
        pictures: name to array ``(H, W, 3)`` of uint8.
        taps: labels of the engine's taps, shallow to deep.
        effort: of the refined column.
        calibration: what the engine was calibrated on, for the record.
        painter: a trained decoder for the network, whose answers get a row of their own; none by default.
        memory: of answers from earlier runs; none by default.
        ledger: of the engine, where it was made before; asked for by default.
    """

    network: Network
    pictures: Mapping[str, NDArray[np.uint8]]
    taps: Sequence[str]
    effort: Effort = field(default_factory=Effort)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    painter: Painter | None = None
    memory: Memory | None = None
    ledger: Ledger | None = None


def run(engine: Engine, job: Job, out: str | Path, progress: Progress | None = None) -> Record:
    """Invert every picture from every tap in every mode and write a gallery.

    Writes ``index.html`` (self-contained), ``report.json``, one PNG sheet per picture and ``ghosts.png``.
    Nothing appears under ``out`` until all of it is written.

    Args:
        engine: the inverse of the network, usually ``preimage.invert(...)``.
        job: what to show.
        out: the folder to appear; an earlier report there is replaced.
        progress: told about every step; silent by default.

    Returns:
        All numbers, as in ``report.json``.

    Raises:
        OutputError: the folder cannot be written or holds other files; found out before any work is done.
        PictureError: there is no picture.

    Cost: three inverses and six forward passes per picture and tap.
    """
    target = Path(out)
    check_target(target)
    if not job.pictures:
        raise PictureError("a gallery needs at least one picture; got none")
    progress = progress or Silence()
    try:
        record, measurement = _measured(engine, job, progress)
        progress.stage("writing", len(job.pictures) + 3)
        with whole_folder(target) as folder:
            _write(folder, record, measurement, progress)
    finally:
        progress.close()
    return record


def _measured(engine: Engine, job: Job, progress: Progress) -> tuple[Record, Measurement]:
    begun = time.perf_counter()
    inputs = {name: job.network.preprocess(picture) for name, picture in job.pictures.items()}
    depths = _depths(engine, job, next(iter(inputs.values())))
    ledger = job.ledger or engine.report.ledger
    measurement = measure(
        engine,
        job.network.preprocessing,
        inputs,
        depths=depths,
        effort=job.effort,
        progress=progress,
        painter=job.painter,
        memory=job.memory,
    )
    record = Record(
        network=_network(job.network),
        pictures=tuple(job.pictures),
        depths=depths,
        cells=tuple(measurement.cells),
        yardsticks=tuple(measurement.yardsticks),
        distance=measurement.distance,
        ledger=ledger.to_dict(),
        ledger_text=str(ledger),
        calibration=dict(job.calibration),
        environment=_environment(job, time.perf_counter() - begun),
    )
    return record, measurement


def _depths(engine: Engine, job: Job, x: Tensor) -> tuple[Depth, ...]:
    values = engine.features(x[None], taps=job.taps)
    return tuple(
        Depth(tap, tuple(values[tap].shape[1:]), values[tap].numel() / x.numel()) for tap in job.taps
    )


def _network(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "parameters": sum(p.numel() for p in network.module.parameters()),
        "input_shape": list(network.preprocessing.input_shape),
        "licence": network.licence,
    }


def _environment(job: Job, seconds: float) -> dict[str, Any]:
    return {
        "preimage": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "tolerance": job.effort.tol,
        "products": job.effort.products,
        "seconds": round(seconds, 1),
    }


def _write(folder: Path, record: Record, measurement: Measurement, progress: Progress) -> None:
    (folder / MARK).write_text(json.dumps(plain(record.to_dict()), indent=1), encoding="utf-8")
    progress.step(MARK)
    for number, name in enumerate(record.pictures, 1):
        sheet(record, measurement, name).save(folder / f"sheet-{number:02d}-{_file_name(name)}.png")
        progress.step(f"sheet of {name}")
    labels = _spread([depth.label for depth in record.depths], 7)
    strip(record, measurement, record.pictures[0], labels, mode="refined").save(folder / "ghosts.png")
    progress.step("ghosts.png")
    (folder / "index.html").write_text(page(record, measurement), encoding="utf-8")
    progress.step("index.html")


def plain(value: Any) -> Any:
    """The same value in what strict JSON can say: NaN and infinity become null.

    Example:
        >>> plain({"residual": float("nan"), "shape": (3, 4)})
        {'residual': None, 'shape': [3, 4]}
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _spread(labels: Sequence[str], most: int) -> list[str]:
    """First and last and evenly many between."""
    if len(labels) <= most:
        return list(labels)
    return [labels[round(i * (len(labels) - 1) / (most - 1))] for i in range(most)]


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:80]
