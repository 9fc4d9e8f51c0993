"""What ``preimage invert`` does: read, capture, show the ledger, calibrate, invert, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from preimage import zoo
from preimage.gallery.answers import Memory, OnDisk
from preimage.gallery.cache import Decoders, fingerprint, remembered, sources
from preimage.gallery.calibration import crops
from preimage.gallery.engine import Painter
from preimage.gallery.folder import check_target
from preimage.gallery.job import Job, run
from preimage.gallery.kept_ledger import remembered_ledger
from preimage.gallery.measure import Effort
from preimage.gallery.progress import Progress
from preimage.gallery.records import Record
from preimage.inverse.calibration import Calibration
from preimage.inverse.inverse import Inverse
from preimage.inverse.invert import calibrate, invert
from preimage.inverse.reporting.ledger import Ledger

Pictures = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Order:
    """What to invert, and how.

    Args:
        network: the network.
        pictures: name to array ``(H, W, 3)`` of uint8; these are shown.
        out: folder of the report.
        calibration: pictures whose statistics the calibrated column uses; none for a data-free gallery.
        taps: labels to invert from; all of the network's by default.
        each: crops per calibration picture.
        effort: of the refined column.
        cache: folder that keeps ledger, decoders and answers between runs; nothing is kept by default.
        attach: makes a trained decoder's painter of the inverse; nothing is painted by default.
    """

    network: zoo.Network
    pictures: Pictures
    out: Path
    calibration: Pictures = field(default_factory=dict)
    taps: Sequence[str] = ()
    each: int = 24
    effort: Effort = field(default_factory=Effort)
    cache: Path | None = None
    attach: Callable[[Inverse], Painter] | None = None


def carry_out(order: Order, progress: Progress, say: Callable[[str], None]) -> Record:
    """Show the ledger, calibrate, invert every picture from every tap, and write the gallery.

    Args:
        order: what to do.
        progress: told about every step.
        say: receives the ledger, before anything is inverted.

    Returns:
        All numbers.

    Raises:
        OutputError: the folder cannot be written; found out before any work is done.
        UnknownTapError: a tap does not exist.
        CaptureError: the network cannot be captured.

    Cost: see :func:`preimage.gallery.run`, plus the calibration.
    """
    check_target(order.out)
    try:
        inverse = _captured(order, progress)
        ledger = _ledger(order, inverse, progress)
        say(str(ledger))
        if order.calibration:
            inverse = calibrated(inverse, order, progress)
        seen = {"pictures": list(order.calibration), "crops": len(order.calibration) * order.each}
        painter = None if order.attach is None else order.attach(inverse)
        job = Job(
            order.network,
            order.pictures,
            inverse.taps,
            order.effort,
            seen,
            painter,
            memory(order, inverse),
            ledger,
        )
        return run(inverse, job, order.out, progress)
    finally:
        progress.close()


def _captured(order: Order, progress: Progress) -> Inverse:
    """The data-free inverse."""
    progress.stage("capturing", 2)
    inverse = invert(order.network.module, order.network.example, taps=_taps(order))
    progress.step("ledger")
    return inverse


def _ledger(order: Order, inverse: Inverse, progress: Progress) -> Ledger:
    """Of the whole network, whatever the taps."""
    if order.cache is None:
        ledger = inverse.ledger
    else:
        key = fingerprint(order.network.module.state_dict(), (str(inverse.graph), *sources()))
        ledger = remembered_ledger(order.cache, key, lambda: inverse.ledger)
    progress.step()
    progress.close()
    return ledger


def calibrated(inverse: Inverse, order: Order, progress: Progress) -> Inverse:
    """The same inverse with decoders estimated from the calibration pictures."""
    progress.stage("cropping", 1)
    x, names = crops(order.calibration, order.network.preprocessing, order.each)
    order_of = {name: i for i, name in enumerate(dict.fromkeys(names))}
    groups = torch.tensor([order_of[name] for name in names])
    progress.step()
    labels = {tap: inverse.node(tap) for tap in inverse.taps}
    data = Calibration(x, groups)

    def estimate() -> Decoders:
        return calibrate(inverse.graph, labels, data, _Stages(progress))

    if order.cache is None:
        return inverse.with_decoders(estimate())
    known = {**order.network.module.state_dict(), "calibration": x, "groups": groups}
    key = fingerprint(known, tuple(f"{label}={name}" for label, name in labels.items()))
    return inverse.with_decoders(remembered(order.cache, key, estimate))


def memory(order: Order, inverse: Inverse) -> Memory | None:
    """Answers of earlier runs with the same weights, decoders and code; None where nothing is kept."""
    if order.cache is None:
        return None
    tensors = dict(order.network.module.state_dict())
    for label, decoder in inverse.decoders.items():
        tensors |= {f"{label}//{name}": value for name, value in decoder.state_dict().items()}
    labels = tuple(f"{label}={inverse.node(label)}" for label in inverse.taps)
    return OnDisk(order.cache, fingerprint(tensors, (*labels, *sources())))


def _taps(order: Order) -> Mapping[str, str | zoo.Tap] | None:
    known = dict(order.network.taps)
    if not order.taps:
        return known or None
    return {label: known.get(label, label) for label in order.taps}


class _Stages:
    """The engine's progress reports, handed on as stages and steps."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._stage = progress, ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage = stage
            self._progress.stage(stage, total)
        else:
            self._progress.step()
