"""Settings chosen by cross-validation inside the recordings to train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from preimage.eeg.recordings import Recordings
from preimage.eeg.spectral.classifier import SpectralClassifier, SpectralSettings


class Choice(NamedTuple):
    """What cross-validation found.

    Args:
        model: the best settings, fitted to all recordings.
        settings: the best ones.
        accuracies: mean held-out accuracy of all candidates, in their order.
    """

    model: SpectralClassifier
    settings: SpectralSettings
    accuracies: tuple[float, ...]


def usual_candidates(rate: float) -> list[SpectralSettings]:
    """Settings worth trying: 6 to 28 slow coefficients, with and without bands up to rate / 2.4."""
    borders = tuple(edge for edge in (4.0, 8.0, 13.0, 20.0, 30.0, 45.0, 70.0, 100.0) if edge <= rate / 2.4)
    return [
        SpectralSettings(low, edges, across)
        for edges in ((), borders)
        for low in (6, 8, 10, 12, 14, 17, 20, 24, 28)
        for across in (0.0, 0.5, 1.0)
    ]


def choose_spectral(
    recordings: Recordings,
    candidates: Sequence[SpectralSettings] | None = None,
    folds: int = 10,
    repeats: int = 3,
    generator: torch.Generator | None = None,
) -> Choice:
    """The settings with the best cross-validated accuracy, and the classifier fitted with them.

    Args:
        recordings: to train on; nothing else is looked at.
        candidates: settings to choose from; :func:`usual_candidates` by default.
        folds: parts of every repeat, each with its share of every class.
        repeats: how often the recordings are shared out anew.
        generator: of the parts; the global one by default.

    Returns:
        The fitted classifier, its settings, and the accuracy of every candidate. That of the best is a little
        too good, as it is the best of many: report on other recordings.

    Cost: ``folds * repeats * len(candidates)`` closed-form fits; a minute for 54 candidates and 300
    recordings.

    Example:
        >>> from preimage import eeg
        >>> found = eeg.synthetic(80, ("O1", "O2", "T3", "T4", "FP1", "FP2", "C3", "C4"), 64)
        >>> recordings = eeg.Recordings(found.x, found.labels, found.truth.grid.channels, 64.0, ("a", "b"))
        >>> candidates = [SpectralSettings(4), SpectralSettings(8)]
        >>> len(choose_spectral(recordings, candidates, folds=3, repeats=1).accuracies)
        2
    """
    known = recordings[recordings.labels >= 0]
    tried = usual_candidates(known.rate) if candidates is None else list(candidates)
    parts = [part for _ in range(repeats) for part in stratified_folds(known.labels, folds, generator)]
    accuracies = [sum(_accuracy(known, settings, held) for held in parts) / len(parts) for settings in tried]
    best = tried[int(torch.tensor(accuracies).argmax())]
    return Choice(_fitted(known, best), best, tuple(accuracies))


def stratified_folds(labels: Tensor, folds: int, generator: torch.Generator | None = None) -> list[Tensor]:
    """Masks ``(N,)`` of the held-out rows of every fold; each fold holds its share of every class."""
    place = torch.empty(len(labels), dtype=torch.long)
    for label in labels.unique():
        rows = torch.nonzero(labels == label)[:, 0]
        order = torch.randperm(len(rows), generator=generator)
        place[rows[order]] = (torch.arange(len(rows)) + int(label)) % folds
    return [place == fold for fold in range(folds)]


def _accuracy(recordings: Recordings, settings: SpectralSettings, held: Tensor) -> float:
    model = _fitted(recordings[~held], settings)
    return float((model.predict(recordings.x[held]) == recordings.labels[held]).double().mean())


def _fitted(recordings: Recordings, settings: SpectralSettings) -> SpectralClassifier:
    channels, times = recordings.x.shape[1:]
    model = SpectralClassifier(channels, times, recordings.rate, recordings.classes, settings)
    return model.estimate(recordings.x, recordings.labels)
