"""The figures of a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from preimage.eeg.layout import knows
from preimage.eeg.plots import (
    band_maps,
    plot_class_evidence,
    plot_electrode_prototypes,
    plot_waveforms,
    separate_scalp_maps,
)

if TYPE_CHECKING:
    from preimage.eeg.report.prototypes import PrototypeReport


def write_figures(report: PrototypeReport, folder: Path) -> list[tuple[str, str, Path]]:
    """Every figure with its heading and what it shows."""
    found = [
        (
            "What every class looks like",
            "The inverse of every class mean, minus what all share. Phases of fast waves may be arbitrary.",
            _waveforms(report, folder / "prototypes.png"),
        )
    ]
    if len(report.channels) > 2 and all(knows(channel) for channel in report.channels):
        for label in range(1, len(report.classes)):
            heading = f"Where {report.classes[label]} differs from {report.classes[0]}"
            text = "Difference of the prototypes: of their means, and of their strengths in every band."
            found.append((heading, text, _maps(report, label, folder / f"maps_{label}.png")))
    found.append(
        (
            "What every electrode alone looks like",
            "The wave that speaks most for the class, whatever the others record. Dotted: none is clear.",
            _electrodes(report, folder / "electrodes.png"),
        )
    )
    found.append(
        (
            "How sure the classifier is",
            "Held-out recordings: one dot each, and how they are confused.",
            _evidence(report, folder / "evidence.png"),
        )
    )
    return found


def _waveforms(report: PrototypeReport, path: Path) -> Path:
    x = report.prototypes.x.detach()
    x = x - x.mean(0)  # what all classes share, such as the background, would hide the rest
    plot_waveforms(
        x, report.channels, report.rate, report.classes, "Class prototypes minus their mean", report.unit
    ).savefig(path)
    return path


def _maps(report: PrototypeReport, label: int, path: Path) -> Path:
    one, titles = band_maps(report.prototypes.x[label].detach(), report.channels, report.rate)
    other, _ = band_maps(report.prototypes.x[0].detach(), report.channels, report.rate)
    separate_scalp_maps(one - other, report.channels, titles, report.unit).savefig(path)
    return path


def _electrodes(report: PrototypeReport, path: Path) -> Path:
    found = report.electrodes
    drawing = plot_electrode_prototypes(
        found.x.detach(),
        found.probability,
        found.clear,
        report.channels,
        report.rate,
        report.classes,
        "",
        report.unit,
    )
    drawing.savefig(path, dpi=110)
    return path


def _evidence(report: PrototypeReport, path: Path) -> Path:
    plot_class_evidence(report.probabilities, report.labels, report.classes).savefig(path)
    return path
