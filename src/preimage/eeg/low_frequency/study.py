"""How much the lowest frequencies alone say about a class, to three classifiers on the same windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from preimage.eeg.cosnet.network import CosNet, EEGCosNet
from preimage.eeg.evaluate import Evaluation, evaluate
from preimage.eeg.invnet.network import EEGInvNet
from preimage.eeg.low_frequency.features import low_pass
from preimage.eeg.low_frequency.mixture import FourierMixture
from preimage.eeg.recipe.crops import checked_recordings, evenly_spaced_crops

Model = EEGInvNet | CosNet | FourierMixture


@dataclass(frozen=True)
class StudyRow:
    """One classifier of a low-frequency study.

    Args:
        name: of the classifier.
        model: trained.
        parameters: how many numbers it learnt.
        evaluation: on the recordings to test with.
    """

    name: str
    model: nn.Module
    parameters: int
    evaluation: Evaluation

    def __str__(self) -> str:
        return f"{self.name}: {self.evaluation.accuracy}, {self.parameters:,} parameters"


def low_passed_windows(
    recordings: Tensor, times: int, rate: float, *, cutoff: float = 0.5, crops: int = 3
) -> Tensor:
    """Windows without high frequencies: the recording is filtered, cut, and every window filtered again.

    Both filters keep the same frequencies, the limit included. A window alone has other frequencies than the
    recording it is cut from, hence the second filter.

    Args:
        recordings: tensor ``(N, C, L)``.
        times: samples T of a window.
        rate: samples a second, in hertz.
        cutoff: highest frequency that stays, in hertz.
        crops: windows of every recording, evenly spaced.

    Returns:
        Tensor ``(N, crops, C, T)``.

    Raises:
        ShapeError: a window is longer than a recording.

    Example:
        >>> import torch
        >>> low_passed_windows(torch.randn(2, 3, 256), times=128, rate=64.0).shape
        torch.Size([2, 3, 3, 128])
    """
    return low_pass(evenly_spaced_crops(low_pass(recordings, rate, cutoff), times, crops), rate, cutoff)


def low_frequency_study(
    recordings: Any,
    labels: Any,
    test_recordings: Any,
    test_labels: Any,
    *,
    times: int = 128,
    rate: float = 64.0,
    cutoff: float = 0.5,
    crops: int = 3,
    models: Mapping[str, Model] | None = None,
    **settings: Any,
) -> list[StudyRow]:
    """Train an EEG-InvNet, an EEG-CosNet and a Fourier mixture on low frequencies only, and compare them.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        recordings: to train on ``(N, C, L)``, scaled to a standard deviation of about 1.
        labels: their classes ``(N,)``.
        test_recordings: to measure on ``(M, C, L')``; nothing is chosen by them.
        test_labels: their classes ``(M,)``.
        times: samples T of a window.
        rate: samples a second, in hertz.
        cutoff: highest frequency that stays, in hertz.
        crops: windows of every recording.
        models: untrained models by name; by default those three in their usual sizes, the CosNet with
            waveforms as long as a window.
        **settings: of every training run, see :class:`~preimage.training.FitSettings`, such as ``epochs=25``.

    Returns:
        One row a model, with its accuracy on the test recordings and a 95 % interval.

    Raises:
        ShapeError: the shapes do not fit together.

    Cost: three training runs; that of the EEG-InvNet takes nearly all of the time.

    Example:
        >>> import torch
        >>> x, y = torch.randn(12, 2, 16), torch.arange(12) % 2
        >>> models = {"mixture": FourierMixture(2, 8, rate=8.0, cutoff=1.0, components=2)}
        >>> common = dict(times=8, rate=8.0, cutoff=1.0, models=models, epochs=1, progress=False)
        >>> [row.name for row in low_frequency_study(x, y, x, y, **common)]
        ['mixture']
    """
    x, y = checked_recordings("low_frequency_study", recordings, labels, times)
    test_x, test_y = checked_recordings("low_frequency_study", test_recordings, test_labels, times)
    classes = int(max(y.max(), test_y.max())) + 1
    chosen = _usual(x.shape[1], times, rate, cutoff, classes) if models is None else models
    windows = low_passed_windows(x, times, rate, cutoff=cutoff, crops=crops).flatten(0, 1)
    held = low_passed_windows(test_x, times, rate, cutoff=cutoff, crops=crops)  # (M, crops, C, T)
    rows = []
    for name, model in chosen.items():
        model.fit(windows, y.repeat_interleave(crops), **settings)
        side_by_side = held.transpose(1, 2).flatten(2)  # (M, C, crops T), cut again where it was joined
        found = evaluate(model, side_by_side, test_y, times=times, crops=crops)
        rows.append(StudyRow(name, model, sum(p.numel() for p in model.parameters()), found))
    return rows


def _usual(channels: int, times: int, rate: float, cutoff: float, classes: int) -> dict[str, Model]:
    return {
        "EEG-InvNet": EEGInvNet(channels, times, max(classes, 2)),
        "EEG-CosNet": EEGCosNet(channels, max(classes, 2), window=times),
        "Fourier mixture": FourierMixture(channels, times, rate, max(classes, 2), cutoff=cutoff),
    }
