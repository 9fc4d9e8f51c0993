"""Answering only where the answer is probably right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.functional.statistics.proportion import clopper_pearson


@dataclass(frozen=True)
class RiskCoverage:
    r"""What share of wrong answers remains when only the most confident rows are answered.

    Args:
        threshold: confidences from high to low, one for every number of rows that can be answered ``(M,)``.
        coverage: share of rows with at least this confidence, rising to 1, ``(M,)``.
        risk: share of wrong answers among them ``(M,)``.
        answered: how many they are, whole numbers ``(M,)``.
    """

    threshold: Tensor
    coverage: Tensor
    risk: Tensor
    answered: Tensor

    @property
    def area(self) -> float:
        """Mean risk over all coverages; the smaller, the better confidence sorts right from wrong."""
        widths = torch.diff(self.coverage, prepend=self.coverage.new_zeros(1))
        return float((self.risk * widths).sum())


def risk_coverage(confidence: Tensor, right: Tensor) -> RiskCoverage:
    r"""The curve of risk over coverage; rows of equal confidence are answered together.

    .. math:: \text{coverage}(\theta) = \frac{|\{n : s_n \ge \theta\}|}{N}, \qquad
        \text{risk}(\theta) = \frac{|\{n : s_n \ge \theta, \text{wrong}\}|}{|\{n : s_n \ge \theta\}|}

    Reference: El-Yaniv, Wiener (2010), On the foundations of noise-free selective classification,
    https://jmlr.org/papers/v11/el-yaniv10a.html

    Args:
        confidence: of every row ``(N,)``, such as the probability of the predicted class.
        right: whether the prediction is right, bool ``(N,)``.

    Returns:
        The curve.

    Raises:
        ShapeError: no rows, or the two differ in length.

    Cost: one sort.

    Example:
        >>> found = risk_coverage(torch.tensor([0.9, 0.6, 0.8, 0.5]), torch.tensor([True, False, True, True]))
        >>> found.risk
        tensor([0.0000, 0.0000, 0.3333, 0.2500])
    """
    if confidence.dim() != 1 or not len(confidence) or right.shape != confidence.shape:
        raise ShapeError(
            f"risk_coverage: got shapes {tuple(confidence.shape)} and {tuple(right.shape)}, wanted (N,) twice"
        )
    order = confidence.argsort(descending=True)
    threshold, wrong = confidence[order], (~right.bool())[order].float().cumsum(0)
    last = torch.ones_like(threshold, dtype=torch.bool)
    last[:-1] = threshold[:-1] != threshold[1:]
    answered = torch.arange(1, len(threshold) + 1, device=threshold.device)[last]
    return RiskCoverage(threshold[last], answered / len(confidence), wrong[last] / answered, answered)


def abstention_threshold(
    confidence: Tensor, right: Tensor, risk: float, assurance: float = 0.95
) -> tuple[float, float]:
    r"""The lowest confidence at which to answer, so that the risk on new rows stays below a bound.

    .. math:: \theta = \min \{\theta : \text{upper}_{\delta / m}(\text{wrong}, \text{answered}) \le r\}

    The upper end is that of Clopper and Pearson, shared between the :math:`m = \lceil \log_2 N \rceil` steps
    of a bisection, so the bound holds with the assurance asked for.

    Reference: Geifman, El-Yaniv (2017), Selective classification for deep neural networks, algorithm 1,
    https://arxiv.org/abs/1705.08500

    Args:
        confidence: of rows that were not trained on ``(N,)``.
        right: whether their prediction is right, bool ``(N,)``.
        risk: largest share of wrong answers, between 0 and 1.
        assurance: with which it holds, between 0 and 1.

    Returns:
        The threshold, and the share of these rows that it answers; infinity and 0 where the rows cannot
        assure so small a risk.

    Raises:
        ValueError: risk or assurance is not between 0 and 1.
        ShapeError: no rows, or the two differ in length.

    Cost: one sort, and the logarithm of N intervals.

    Example:
        >>> confidence, right = torch.linspace(1, 0.5, 1000), torch.arange(1000) < 900
        >>> threshold, coverage = abstention_threshold(confidence, right, risk=0.02)
        >>> 0.85 < coverage < 0.95
        True
    """
    for word, value in (("risk", risk), ("assurance", assurance)):
        if not 0 < value < 1:
            raise ValueError(
                f"abstention_threshold: {word} is {value}, wanted a number between 0 and 1, such as 0.05"
            )
    curve = risk_coverage(confidence, right)
    steps = max(1, math.ceil(math.log2(len(curve.answered) + 1)))
    tail = (1 - assurance) / steps
    best, low, high = -1, 0, len(curve.answered) - 1
    while low <= high:
        middle = (low + high) // 2
        if _upper(curve, middle, tail) <= risk:
            best, low = middle, middle + 1
        else:
            high = middle - 1
    if best < 0:
        return math.inf, 0.0
    return float(curve.threshold[best]), float(curve.coverage[best])


def _upper(curve: RiskCoverage, place: int, tail: float) -> float:
    """The upper confidence limit of the risk there; an interval leaves ``tail`` out on each side."""
    answered = int(curve.answered[place])
    wrong = round(float(curve.risk[place]) * answered)
    return clopper_pearson(wrong, answered, 1 - 2 * tail).high
