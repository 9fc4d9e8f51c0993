"""One number that makes stated probabilities true on average."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from preimage.classify.labels import checked_labels
from preimage.classify.parts import in_parts

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier
    from preimage.classify.views import AveragedViews


def best_temperature(logits: Tensor, labels: Tensor, log_prior: Tensor | None = None) -> float:
    r"""The temperature of highest likelihood on held-out rows.

    .. math:: t = \arg\min_t -\sum_n \log \operatorname{softmax}(\ell_n / t + \log p)_{c_n}

    The loss is convex in 1 / t, so bisection of its slope finds the one minimum.

    Reference: Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, section 4.2,
    https://arxiv.org/abs/1706.04599

    Args:
        logits: of held-out rows, ``(N, K)``, such as log-densities under every class.
        labels: true classes, whole numbers ``(N,)``.
        log_prior: logarithms of priors ``(K,)``, which the temperature leaves alone; none by default.

    Returns:
        A number between 1e-6 and 1e6; the ends where every row, or less than chance, is right.

    Raises:
        ShapeError: no rows, or the labels do not fit them.

    Cost: 60 softmaxes.

    Example:
        >>> best_temperature(torch.tensor([[4.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1]))
        3.64...
    """
    checked_labels("best_temperature", logits, labels)
    table = logits.detach().double()
    prior = table.new_zeros(table.shape[1]) if log_prior is None else log_prior.detach().double()
    low, high = math.log(1e-6), math.log(1e6)  # of 1 / t
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _slope(table, labels, prior, math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def calibrate(classifier: GenerativeClassifier | AveragedViews, x: Any, labels: Tensor) -> float:
    """Set the temperature of a fitted classifier to the best one on held-out rows; densities stay.

    Args:
        classifier: changed in place.
        x: rows that it was not trained on, ``(N, *event)``.
        labels: their classes, whole numbers ``(N,)``.

    Returns:
        The temperature.

    Cost: one pass over the rows.
    """
    found = best_temperature(in_parts(classifier.class_scores, x), labels, classifier.log_prior)
    with torch.no_grad():
        classifier.log_temperature.fill_(math.log(found))
    return found


def _slope(table: Tensor, labels: Tensor, prior: Tensor, inverse: float) -> float:
    """The derivative of the mean loss by 1 / t."""
    expected = ((table * inverse + prior).softmax(dim=1) * table).sum(1)
    return float((expected - table.gather(1, labels[:, None])[:, 0]).mean())
