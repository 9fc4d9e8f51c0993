"""How far a counted share can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Proportion:
    """A share of trials with its confidence interval.

    Args:
        successes: how many trials succeeded.
        trials: how many there were.
        low: lower end of the interval, in 0..1.
        high: upper end of the interval, in 0..1.
        confidence: coverage of the interval, in (0, 1).

    Example:
        >>> print(clopper_pearson(236, 276))
        85.5 % (80.8 to 89.4 %, 236 of 276)
    """

    successes: int
    trials: int
    low: float
    high: float
    confidence: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.successes / self.trials

    def __str__(self) -> str:
        ends = f"{100 * self.low:.1f} to {100 * self.high:.1f} %"
        return f"{100 * self.value:.1f} % ({ends}, {self.successes} of {self.trials})"


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Proportion:
    r"""The exact interval of a binomial proportion.

    .. math:: P(X \ge k \mid p_{low}) = P(X \le k \mid p_{high}) = (1 - \text{confidence}) / 2

    It covers the true share at least as often as it says, at every number of trials.

    Reference: Clopper, Pearson (1934), The use of confidence or fiducial limits illustrated in the case
    of the binomial, https://doi.org/10.1093/biomet/26.4.404

    Args:
        successes: k, from 0 to ``trials``.
        trials: n, 1 or more.
        confidence: coverage, in (0, 1).

    Returns:
        The share with its interval.

    Raises:
        ValueError: counts or confidence out of range.

    Cost: 100 sums over n terms.

    Example:
        >>> found = clopper_pearson(9, 10)
        >>> round(found.low, 3), round(found.high, 4)
        (0.555, 0.9975)
    """
    if not 0 <= successes <= trials or trials < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"clopper_pearson: got {successes} of {trials} at {confidence}, wanted 0 <= successes <= trials,"
            " trials >= 1 and a confidence between 0 and 1, such as 0.95"
        )
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else 1 - _highest_share(trials - successes, trials, tail)
    high = 1.0 if successes == trials else _highest_share(successes, trials, tail)
    return Proportion(successes, trials, low, high, confidence)


def _highest_share(successes: int, trials: int, tail: float) -> float:
    """The share p at which so few successes, or fewer, have probability ``tail``; by bisection."""
    counts = torch.arange(successes + 1, dtype=torch.float64)
    ways = math.lgamma(trials + 1) - torch.lgamma(counts + 1) - torch.lgamma(trials - counts + 1)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _probability(ways, counts, trials, middle) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _probability(ways: Tensor, counts: Tensor, trials: int, share: float) -> float:
    terms = ways + counts * math.log(share) + (trials - counts) * math.log1p(-share)
    return float(terms.logsumexp(0).exp())
