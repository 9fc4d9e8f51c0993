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
