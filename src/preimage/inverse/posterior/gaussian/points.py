"""Points that represent a normal distribution, the same at every call."""

from __future__ import annotations

import math

import torch
from torch import Tensor

COUNT = 32
"""Points on each side of the mean."""


def quantile_points(like: Tensor) -> Tensor:
    """The quantiles of the standard normal distribution at the middles of 64 equal parts, ``(64, 1)``.

    Means over them are means over one number, by the midpoint rule.

    Example:
        >>> points = quantile_points(torch.zeros(1))
        >>> abs(round(points.mean().item(), 6)), round(points.square().mean().item(), 2)
        (0.0, 0.98)
    """
    probability = (torch.arange(2 * COUNT, dtype=torch.float64) + 0.5) / (2 * COUNT)
    return (math.sqrt(2) * torch.erfinv(2 * probability - 1)).to(like)[:, None]


def standard_points(size: int, like: Tensor) -> Tensor:
    """Standard normal points ``(64, n)`` and their mirror images, so that odd moments vanish.

    Args:
        size: n.
        like: decides dtype and device.

    Example:
        >>> bool(standard_points(3, torch.zeros(1, dtype=torch.float64)).sum(0).abs().max() < 1e-12)
        True
    """
    generator = torch.Generator().manual_seed(0)  # of its own: the user's random state is left alone
    normal = torch.randn(COUNT, size, generator=generator, dtype=torch.float64)
    return torch.cat([normal, -normal]).to(like)
