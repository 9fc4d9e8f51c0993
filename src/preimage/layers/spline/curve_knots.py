"""Knots for curves that need fewer or other numbers than the rational quadratic one."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from preimage.functional.scalar.bounded import bounded_exp
from preimage.functional.splines import Knots
from preimage.layers.spline.knot_rule import (
    KnotRule,
    check_steepness,
    mean_slopes,
    rises_of,
    widths_of,
)


@final
class BinKnots(KnotRule):
    """Widths and mean slopes of bins alone, for pieces that are straight; slope 1 beyond the box.

    Takes 2 K raw numbers: K widths, K slopes between 1 / S and S.

    Reference: Müller, McWilliams, Rousselle, Gross, Novák (2019), Neural importance sampling,
    https://arxiv.org/abs/1808.03856

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest slope S, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> BinKnots(2, 1.0).knots(torch.zeros(4)).y
        tensor([-1.,  0.,  1.])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(bins, bound, count=2 * bins)
        check_steepness("BinKnots", steepness)
        self.steepness = float(steepness)

    def knots(self, raw: Tensor) -> Knots:
        """Split the raw numbers into widths and slopes."""
        raw_widths, raw_slopes = raw.chunk(2, dim=-1)
        widths = widths_of(raw_widths)
        rises, slopes = rises_of(widths, raw_slopes, self.steepness)
        return self.box(widths, rises, torch.ones_like(pad(slopes, (0, 1))))


@final
class AreaKnots(KnotRule):
    r"""Heights of bins that are the areas under a broken line, for quadratic pieces; slope 1 at both ends.

    Takes 2 K - 1 raw numbers: K widths, and K - 1 slopes at the inner knots, which are then scaled together
    so that the area fits the box. They lie between 1 / S and S.

    Reference: Müller, McWilliams, Rousselle, Gross, Novák (2019), Neural importance sampling,
    https://arxiv.org/abs/1808.03856

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest slope S, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> AreaKnots(2, 1.0).knots(torch.zeros(3)).slopes
        tensor([1., 1., 1.])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(bins, bound, count=2 * bins - 1)
        check_steepness("AreaKnots", steepness)
        self.steepness = float(steepness)

    def knots(self, raw: Tensor) -> Knots:
        """Split the raw numbers into widths and slopes."""
        raw_widths, raw_slopes = raw.split([self.bins, self.bins - 1], dim=-1)
        widths = widths_of(raw_widths)
        shares = (widths[..., :-1] + widths[..., 1:]) / 2  # of the area, one for every inner knot
        inner = bounded_exp(raw_slopes, math.sqrt(self.steepness))
        inner = inner * shares.sum(-1, keepdim=True) / (shares * inner).sum(-1, keepdim=True)
        slopes = pad(inner, (1, 1), value=1.0)
        return self.box(widths, widths * (slopes[..., :-1] + slopes[..., 1:]) / 2, slopes)


@final
class HermiteKnots(KnotRule):
    """Widths, mean slopes and slopes at knots for cubic pieces, which must not be too steep at their ends.

    Takes 3 K + 1 raw numbers: K widths, K mean slopes between 1 / S and S, and K + 1 slopes at the knots
    between 0.2 and 1.2 times the harmonic mean of the slopes beside them. A cubic rises everywhere if its end
    slopes are below 3 times its mean slope; these stay below 2.4.

    Reference: Fritsch, Carlson (1980), Monotone piecewise cubic interpolation,
    https://doi.org/10.1137/0717021

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest mean slope S of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> HermiteKnots(2, 1.0).knots(torch.zeros(7)).slopes
        tensor([1., 1., 1.])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(bins, bound, count=3 * bins + 1)
        check_steepness("HermiteKnots", steepness)
        self.steepness = float(steepness)

    def knots(self, raw: Tensor) -> Knots:
        """Split the raw numbers into widths, mean slopes and slopes at knots."""
        raw_widths, raw_means, raw_slopes = raw.split([self.bins, self.bins, self.bins + 1], dim=-1)
        widths = widths_of(raw_widths)
        rises, means = rises_of(widths, raw_means, self.steepness)
        middle = torch.cat([means[..., :1], mean_slopes(means), means[..., -1:]], dim=-1)
        factors = 0.2 + torch.sigmoid(raw_slopes + math.log(4))  # 1 for zeros
        return self.box(widths, rises, middle * factors)
