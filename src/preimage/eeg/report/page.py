"""A report on recordings as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from preimage.classify.report import Section, html_page, html_table

if TYPE_CHECKING:
    from preimage.eeg.report.prototypes import PrototypeReport


def page(report: PrototypeReport, figures: Sequence[tuple[str, str, Path]]) -> str:
    """The whole report as HTML: figures inside, names of classes and channels escaped."""
    certificate, share = report.prototypes.certificate, report.prototypes.probability
    rows = zip(report.classes, certificate.residual.tolist(), share.tolist(), strict=True)
    errors = [[name, f"{error:.1e}", f"{probability:.3f}"] for name, error, probability in rows]
    unclear = [[name, ", ".join(found) or "none"] for name, found in report.without_clear_prototype().items()]
    sections = [Section.picture(*figure) for figure in figures]
    sections += [
        Section(
            "Electrodes without a clear prototype",
            "A class can need several electrodes at once, or ignore this one.",
            html_table(["class", "electrodes"], unclear),
        ),
        Section(
            "How sure the inverse is",
            "Every prototype was sent through the network again; relative distance from the class mean.",
            html_table(["class", "error", "probability of the class"], errors),
        ),
    ]
    return html_page(
        f"What {' and '.join(report.classes)} look like",
        f"{100 * report.accuracy.value:.1f} % accuracy",
        report.sentence(),
        sections,
        f"Model: {report.model}. {len(report.channels)} channels at {report.rate:g} Hz, in {report.unit}.",
    )
