"""What classes of recordings look like, as a page of HTML with figures and numbers."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from preimage.classify import (
    ChannelPrototypes,
    ChannelSettings,
    GenerativeClassifier,
    Prototypes,
    channel_prototypes,
)
from preimage.eeg.recordings import Recordings
from preimage.eeg.report.figures import write_figures
from preimage.eeg.report.page import page
from preimage.eeg.spectral.choice import choose_spectral, stratified_folds, usual_candidates
from preimage.eeg.spectral.classifier import SpectralSettings
from preimage.errors import DataFileError
from preimage.functional.statistics.proportion import Proportion, clopper_pearson

QUICK = ChannelSettings(steps=60, starts=2, batch=32, score_rows=300, controls=8)
"""Prototypes of single electrodes in seconds instead of minutes."""


@dataclass(frozen=True, eq=False)
class PrototypeReport:
    """What a report says.

    Args:
        classes: their names.
        channels: names of the channels.
        accuracy: on recordings that the classifier was not fitted to.
        probabilities: of the classes, for those recordings ``(M, K)``.
        labels: their classes ``(M,)``.
        prototypes: one recording a class, with the error of its inverse.
        electrodes: one wave a class and channel, with whether it is clear.
        model: what the classifier is.
        unit: of the recordings.
        rate: samples a second, in hertz.
    """

    classes: tuple[str, ...]
    channels: tuple[str, ...]
    accuracy: Proportion
    probabilities: torch.Tensor
    labels: torch.Tensor
    prototypes: Prototypes
    electrodes: ChannelPrototypes
    model: str
    unit: str
    rate: float

    def sentence(self) -> str:
        """What the accuracy is worth, in words."""
        found = self.accuracy
        widest = max(found.high - found.value, found.value - found.low)
        return (
            f"{found.successes} of {found.trials} held-out recordings are classified rightly:"
            f" {100 * found.value:.1f} %. The 95 % interval runs from {100 * found.low:.1f} to"
            f" {100 * found.high:.1f} %: with so many recordings, differences below about"
            f" {100 * widest:.0f} points say nothing. (With 276 recordings 85.5 % means 80.8 to 89.4 %.)"
        )

    def without_clear_prototype(self) -> dict[str, list[str]]:
        """For every class the channels that alone look like nothing in particular."""
        return {
            name: [channel for channel, clear in zip(self.channels, row, strict=True) if not clear]
            for name, row in zip(self.classes, self.electrodes.clear.tolist(), strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for JSON."""
        predicted = self.probabilities.argmax(1)
        count = len(self.classes)
        table = [torch.bincount(predicted[self.labels == k], minlength=count).tolist() for k in range(count)]
        return {
            "classes": list(self.classes),
            "channels": list(self.channels),
            "rate": self.rate,
            "unit": self.unit,
            "model": self.model,
            "accuracy": asdict(self.accuracy) | {"value": self.accuracy.value},
            "true_by_predicted": table,
            "prototype_error": [_number(value) for value in self.prototypes.certificate.residual.tolist()],
            "prototype_probability": self.prototypes.probability.tolist(),
            "electrode_probability": self.electrodes.probability.tolist(),
            "no_clear_prototype": self.without_clear_prototype(),
        }


def report_prototypes(
    recordings: Recordings,
    model: GenerativeClassifier | None = None,
    settings: ChannelSettings = QUICK,
    generator: torch.Generator | None = None,
) -> PrototypeReport:
    """Fit a classifier, or take one, measure it on held-out recordings, and invert its classes.

    Without a model the settings of a :class:`~preimage.eeg.SpectralClassifier` are chosen by cross-validation
    inside three quarters of the recordings; the last quarter is only reported on. A given model is measured
    on all recordings: give those that it has not seen.

    Args:
        recordings: with labels; those without are left out.
        model: a fitted classifier of such recordings.
        settings: of the prototypes of single electrodes.
        generator: of the parts; the global one by default.

    Returns:
        The report; write it with :func:`write_report`.

    Raises:
        DataFileError: there are fewer than two classes, or fewer than eight recordings in one of them.

    Cost: some seconds to fit; then ``settings``.
    """
    known = recordings[recordings.labels >= 0]
    counts = torch.bincount(known.labels, minlength=len(known.classes))
    if len(known.classes) < 2 or int(counts.min()) < (8 if model is None else 1):
        raise DataFileError(
            f"report: classes {', '.join(known.classes) or 'none'} have {counts.tolist()} recordings,"
            " wanted two classes and eight or more in each; give labels"
        )
    if model is None:
        held = stratified_folds(known.labels, 4, generator)[0]
        train, test = known[~held], known[held]
        found = choose_spectral(train, _affordable(train), folds=5, repeats=1, generator=generator)
        model, text = found.model, f"SpectralClassifier, {found.settings}"
    else:
        train, test, text = known, known, type(model).__name__
    model.eval()
    probabilities = model.predict_proba(test.x)
    right = int((probabilities.argmax(1) == test.labels).sum())
    return PrototypeReport(
        known.classes,
        known.channels,
        clopper_pearson(right, len(test)),
        probabilities,
        test.labels,
        model.prototypes(),
        channel_prototypes(model, train.x, settings=settings),
        text,
        known.unit,
        known.rate,
    )


def write_report(report: PrototypeReport, folder: str | Path) -> Path:
    """Write ``index.html``, its figures as PNG, and ``report.json`` into a folder.

    Args:
        report: from :func:`report_prototypes`.
        folder: made where it is absent.

    Returns:
        The path of the page, which needs no other file.

    Raises:
        MissingExtraError: matplotlib or MNE is not installed.

    Cost: ten seconds for 21 electrodes.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    figures = write_figures(report, place)
    (place / "report.json").write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    target = place / "index.html"
    target.write_text(page(report, figures), encoding="utf-8")
    return target


def _affordable(recordings: Recordings) -> list[SpectralSettings]:
    """Candidates that are fitted in seconds: fewer of them, and no large covariance across frequencies."""
    few = [c for c in usual_candidates(recordings.rate) if c.low in (6, 10, 14, 20, 28)]
    fitting = [c for c in few if c.low <= recordings.x.shape[2] and c.across < 1]
    size = len(recordings.channels)
    return [c for c in fitting if c.across == 0 or size * (c.low + len(c.edges)) <= 150]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
