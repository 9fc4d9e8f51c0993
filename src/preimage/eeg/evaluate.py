"""How well recordings are classified, with intervals, from several windows of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from preimage.checks import reference_tensor
from preimage.classify import GenerativeClassifier
from preimage.eeg.recipe.crops import checked_recordings, evenly_spaced_crops
from preimage.eeg.recipe.noise import check_deviation, noise_log_prob
from preimage.errors import ShapeError
from preimage.functional.statistics.proportion import Proportion, clopper_pearson

ROWS = 256  # windows of one pass through the network


class Classifier(Protocol):
    """Anything with logits ``(N, K)`` for windows ``(N, C, T)``."""

    def logits(self, x: Tensor, /) -> Tensor:
        """Log-probabilities of the classes ``(N, K)``, up to a constant of each row."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What a classifier does on recordings that it has not seen.

    Args:
        by_log_density: accuracy by the mean over windows of the logits: of the log-densities, for a
            generative classifier.
        by_probability: accuracy by the mean over windows of the class probabilities.
        by_window: accuracy of single windows. Windows of one recording are not independent, so this interval
            is too narrow; it is for comparison only.
        recalls: of every class, by the mean log-density: the share of its recordings that are found; None for
            a class without recordings.
        predictions: classes ``(N,)`` by the mean log-density.
        probabilities: mean probabilities of the classes ``(N, K)``.
        bits_per_dim: mean bits for each number of the data under its own class, corrected for the noise; None
            for classifiers without a density.
    """

    by_log_density: Proportion
    by_probability: Proportion
    by_window: Proportion
    recalls: tuple[Proportion | None, ...]
    predictions: Tensor
    probabilities: Tensor
    bits_per_dim: float | None

    @property
    def accuracy(self) -> Proportion:
        """By the mean log-density."""
        return self.by_log_density

    @property
    def specificity(self) -> Proportion | None:
        """For two classes: the share of class 0, the healthy, that is recognised."""
        return self._recall(0)

    @property
    def sensitivity(self) -> Proportion | None:
        """For two classes: the share of class 1, the pathological, that is found."""
        return self._recall(1)

    def _recall(self, label: int) -> Proportion | None:
        if len(self.recalls) != 2:
            raise ValueError(
                f"Evaluation: {len(self.recalls)} classes have no sensitivity and specificity, which need"
                " two; use recalls, one for every class"
            )
        return self.recalls[label]


def evaluate(
    model: Classifier,
    recordings: Any,
    labels: Any,
    *,
    times: int | None = None,
    crops: int = 3,
    noise: float = 0.005,
    generator: torch.Generator | None = None,
) -> Evaluation:
    r"""Classify recordings by evenly spaced windows of each.

    .. math:: \hat c = \arg\max_c \tfrac1n \sum_l \log p(x_l \mid c) \quad\text{or}\quad
        \arg\max_c \tfrac1n \sum_l p(c \mid x_l)

    For a generative classifier noise is added as in training, and the density is corrected for it,
    :math:`\log p(x + u) - \log r(u)`: a bound from below on average.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks; intervals: Clopper, Pearson (1934), https://doi.org/10.1093/biomet/26.4.404

    Args:
        model: an :class:`~preimage.eeg.EEGInvNet`, :class:`~preimage.eeg.EEGCosNet`, or anything else with
            ``logits``; it is run in evaluation mode.
        recordings: tensor or array ``(N, C, L)``.
        labels: classes ``(N,)``, whole numbers.
        times: samples of a window; by default those of the model, or whole recordings.
        crops: windows of a recording, 1 or more.
        noise: standard deviation of the noise for generative classifiers; 0 for none.
        generator: of the noise; the global one by default.

    Returns:
        Accuracies with 95 % intervals, recalls, predictions and bits per dimension.

    Raises:
        ShapeError: the shapes do not fit together, or a label is none of the model's classes.
        ValueError: the noise is negative, or no window is wanted.

    Cost: one run of the model on every window.

    Example:
        >>> from preimage.eeg import EEGInvNet
        >>> model = EEGInvNet(channels=2, times=16, stages=1, blocks=1, hidden_channels=4)
        >>> found = evaluate(model, torch.randn(8, 2, 40), torch.arange(8) % 2)
        >>> found.accuracy.trials, found.by_window.trials
        (8, 24)
    """
    check_deviation("evaluate", noise)
    x, y = checked_recordings("evaluate", recordings, labels, 1)
    length = getattr(model, "times", x.shape[2]) if times is None else times
    windows = evenly_spaced_crops(_like(model, x), length, crops)  # (N, n, C, T)
    with _evaluating(model), torch.no_grad():
        answers = [_answer(model, part, noise, generator) for part in windows.flatten(0, 1).split(ROWS)]
    logits = torch.cat([answer[0] for answer in answers]).unflatten(0, (len(x), crops))  # (N, n, K)
    if y.numel() and not 0 <= int(y.min()) <= int(y.max()) < logits.shape[2]:
        raise ShapeError(
            f"evaluate: labels run from {int(y.min())} to {int(y.max())}, the model has {logits.shape[2]}"
            " classes; number the classes from 0"
        )
    densities = [answer[1] for answer in answers if answer[1] is not None]
    bits = (
        None
        if not densities
        else _bits(torch.cat(densities).unflatten(0, (len(x), crops)), y.to(logits.device), windows)
    )
    return _summary(logits, y.to(logits.device), bits)


def _answer(
    model: Classifier, x: Tensor, noise: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor | None]:
    """Logits ``(N, K)`` of windows and, where there is a density, its corrected logarithm ``(N, K)``."""
    if not isinstance(model, GenerativeClassifier):
        return model.logits(x), None
    added = noise * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    log_prob = model.class_log_prob(x + added)
    logits = log_prob / model.temperature + model.log_prior
    correction = noise_log_prob(added, noise)[:, None] if noise else 0.0
    return logits, log_prob - correction


def _bits(log_prob: Tensor, labels: Tensor, windows: Tensor) -> float:
    """Mean bits per number under the own class; log_prob ``(N, n, K)``, windows ``(N, n, C, T)``."""
    own = log_prob.gather(2, labels[:, None, None].expand(-1, log_prob.shape[1], 1))
    nats = -own.double().mean() / windows[0, 0].numel()
    return float(nats / torch.tensor(2.0).log())


def _summary(logits: Tensor, labels: Tensor, bits: float | None) -> Evaluation:
    count, crops, classes = logits.shape
    probabilities = logits.softmax(2).mean(1)  # (N, K)
    predictions = logits.mean(1).argmax(1)
    right = predictions == labels
    single = logits.argmax(2) == labels[:, None]
    return Evaluation(
        by_log_density=clopper_pearson(int(right.sum()), count),
        by_probability=clopper_pearson(int((probabilities.argmax(1) == labels).sum()), count),
        by_window=clopper_pearson(int(single.sum()), count * crops),
        recalls=tuple(_recall(right[labels == label]) for label in range(classes)),
        predictions=predictions,
        probabilities=probabilities,
        bits_per_dim=bits,
    )


def _recall(right: Tensor) -> Proportion | None:
    return clopper_pearson(int(right.sum()), len(right)) if len(right) else None


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode for a module, and its own mode afterwards."""
    if not isinstance(model, nn.Module):
        yield
        return
    before = model.training
    try:
        model.eval()
        yield
    finally:
        model.train(before)


def _like(model: Any, x: Tensor) -> Tensor:
    """Recordings in the dtype and on the device of the model."""
    reference = reference_tensor(model) if isinstance(model, nn.Module) else None
    return x if reference is None else x.to(reference)
