"""Confidence against accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.classify.calibration.bins import Bins, EqualWidthBins
from preimage.classify.labels import checked_labels


@dataclass(frozen=True)
class Reliability:
    r"""What was claimed and what came true, bin by bin.

    Args:
        confidence: mean probability of the predicted class in every bin ``(B,)``; NaN where it is empty.
        accuracy: share of right predictions in every bin ``(B,)``; NaN where it is empty.
        count: rows in every bin ``(B,)``.
        edges: of the bins, from 0 to 1, ``(B + 1,)``.
    """

    confidence: Tensor
    accuracy: Tensor
    count: Tensor
    edges: Tensor

    @property
    def error(self) -> float:
        r"""Expected calibration error (ECE), :math:`\sum_b \frac{n_b}{n} |\text{acc}_b - \text{conf}_b|`."""
        gaps = (self.accuracy - self.confidence).abs().nan_to_num(0.0)
        return float((gaps * self.count).sum() / self.count.sum())

    @property
    def largest_error(self) -> float:
        """The largest gap of any bin that is not empty."""
        return float((self.accuracy - self.confidence).abs().nan_to_num(0.0).max())


def reliability(probability: Tensor, labels: Tensor, bins: Bins | None = None) -> Reliability:
    r"""How often the predicted class is right, for every level of stated confidence.

    .. math:: \text{ECE} = \sum_b \frac{n_b}{n} \left| \text{accuracy}_b - \text{confidence}_b \right|

    Of few rows the error is biased upwards: n rows in B bins give about :math:`\sqrt{B / (8 n)}` even where
    every probability is true.

    Reference: Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks,
    https://arxiv.org/abs/1706.04599

    Args:
        probability: of every class, rows adding up to 1, ``(N, K)``.
        labels: true classes, whole numbers ``(N,)``.
        bins: 15 of equal width by default, as is usual; :class:`EqualMassBins` for adaptive ones.

    Returns:
        The bins; ``.error`` is the expected calibration error.

    Raises:
        ShapeError: no rows, or the labels do not fit them.

    Cost: O(N K).

    Example:
        >>> claims = torch.tensor([[0.8, 0.2]] * 5)
        >>> reliability(claims, torch.tensor([0, 0, 0, 0, 1])).error < 1e-6
        True
    """
    checked_labels("reliability", probability, labels)
    bins = EqualWidthBins(15) if bins is None else bins
    confidence, predicted = probability.detach().double().max(dim=1)
    right = (predicted == labels).double()
    inner = bins.edges(confidence)
    place = torch.bucketize(confidence, inner)  # (N,)
    zeros = confidence.new_zeros(bins.count)
    count = zeros.index_add(0, place, torch.ones_like(confidence))
    return Reliability(
        zeros.index_add(0, place, confidence) / count,
        zeros.index_add(0, place, right) / count,
        count.long(),
        torch.cat([inner.new_zeros(1), inner, inner.new_ones(1)]),
    )
