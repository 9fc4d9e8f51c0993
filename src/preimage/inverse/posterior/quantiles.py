"""The distribution of relative errors, as quantiles that were measured."""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 512
"""Quantiles that are kept, at the middles of so many equal parts of the probability."""


def weighted_quantiles(scores: Tensor, weight: Tensor, levels: Tensor) -> Tensor:
    """Quantiles of weighted numbers, linear between them.

    Args:
        scores: ``(R,)``.
        weight: of each, ``(R,)``, positive.
        levels: probabilities, ``(L,)``.

    Returns:
        Tensor ``(L,)``, not decreasing.

    Example:
        >>> weighted_quantiles(torch.tensor([3.0, 1.0, 2.0]), torch.ones(3), torch.tensor([0.5])).item()
        2.0
    """
    scores, order = scores.sort()
    weight = weight[order]
    reached = (weight.cumsum(0) - weight / 2) / weight.sum()  # probability below the middle of each
    return interpolate(levels.to(scores), reached, scores)


def honest_quantiles(scores: Tensor, source: Tensor, levels: Tensor) -> Tensor:
    """Quantiles that hold a number of a *new* source with the probabilities that are asked for.

    Numbers of one source are right or wrong together, so the quantiles of N sources are too small for the
    next one: of ten sources with one score each, the 90 % quantile lies below the largest, yet the next
    score exceeds the largest once in eleven times. Each score is therefore looked up among those of all
    *other* sources, and the level at which they hold as many as was asked for takes the place of the level.
    Where sources are alike this changes nothing; where each has one score, it is the conformal quantile
    ``(N + 1) p / N``. Every source counts the same.

    Reference: R. Dunn, L. Wasserman and A. Ramdas (2022), https://arxiv.org/abs/1809.07441, for new groups;
    R. Barber, E. Candes, A. Ramdas and R. Tibshirani (2021), https://arxiv.org/abs/1905.02928, for leaving
    one out.

    Args:
        scores: ``(R,)``.
        source: number of each score's source, from 0 on without gaps, ``(R,)``; two sources at least.
        levels: probabilities, ``(L,)``.

    Returns:
        Tensor ``(L,)``, not decreasing.

    Example:
        >>> scores, source = torch.arange(1.0, 11.0), torch.arange(10)
        >>> level = torch.tensor([0.9])
        >>> [round(q.item(), 1) for q in (
        ...     weighted_quantiles(scores, torch.ones(10), level), honest_quantiles(scores, source, level))]
        [9.5, 9.9]
    """
    weight = source.bincount().to(scores)[source].reciprocal()
    reached = left_out_levels(scores, source)
    return weighted_quantiles(scores, weight, weighted_quantiles(reached, weight, levels))


def left_out_levels(scores: Tensor, source: Tensor) -> Tensor:
    """The share of the numbers of *other* sources that lie below each score, ``(R,)``.

    Arguments as for :func:`honest_quantiles`.
    """
    count = source.bincount()
    below = _share_below(scores, count[source].to(scores).reciprocal()) * len(count)
    own = (_ranks(scores, source) + 0.5) / count[source]
    return ((below - own) / (len(count) - 1)).clamp(0, 1)


def _ranks(scores: Tensor, source: Tensor) -> Tensor:
    """How many scores of the same source come before each, ``(R,)``."""
    place = scores.argsort().argsort()
    order = (source * len(scores) + place).argsort()
    count = source.bincount()
    first = count.cumsum(0) - count
    ranks = torch.empty_like(scores)
    ranks[order] = (torch.arange(len(scores), device=scores.device) - first[source[order]]).to(scores)
    return ranks


def _share_below(scores: Tensor, weight: Tensor) -> Tensor:
    """For each score, the share of the weight of lower ones and half its own, ``(R,)``."""
    order = scores.argsort()
    share = torch.empty_like(scores)
    share[order] = (weight[order].cumsum(0) - weight[order] / 2) / weight.sum()
    return share


def middles(count: int = LEVELS) -> Tensor:
    """The middles of equal parts of the probability."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def interpolate(at: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear through ``(knots (K,), values (K,))``, constant outside; the shape of ``at``."""
    if len(knots) == 1:
        return values.expand(at.shape)
    right = torch.searchsorted(knots, at.contiguous()).clamp(1, len(knots) - 1)
    low, high = knots[right - 1], knots[right]
    part = ((at - low) / (high - low).clamp_min(torch.finfo(at.dtype).tiny)).clamp(0, 1)
    return values[right - 1] + part * (values[right] - values[right - 1])
