"""From raw numbers to the knots of a spline."""

from __future__ import annotations

import abc
import math

from torch import Tensor

from preimage.functional.scalar.bounded import bounded_exp
from preimage.functional.splines import Knots


class KnotRule(abc.ABC):
    """Turns ``count`` raw numbers, any real ones, into the knots of a monotone spline.

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound on both axes, positive.
        count: raw numbers an element.

    Raises:
        ValueError: fewer than two bins, or a bound that is not positive.

    Example:
        >>> import torch
        >>> from preimage.layers import BoundedKnots
        >>> BoundedKnots(4, 2.0).knots(torch.zeros(11)).x
        tensor([-2., -1.,  0.,  1.,  2.])
    """

    def __init__(self, bins: int, bound: float, count: int) -> None:
        if bins < 2 or not 0 < bound < math.inf:
            raise ValueError(
                f"{type(self).__name__}: {bins} bins and bound {bound}, wanted two or more bins and a"
                " positive bound, such as 8 and 4.0"
            )
        self.bins, self.bound, self.count = bins, float(bound), count

    @abc.abstractmethod
    def knots(self, raw: Tensor) -> Knots:
        """The knots, ``(..., bins + 1)`` each, of raw numbers ``(..., count)``."""

    def box(self, fractions: Tensor, rises: Tensor, slopes: Tensor) -> Knots:
        """Knots from the bins' fractions of the width and of the height of the box, ``(..., bins)`` each."""
        size = 2 * self.bound
        return Knots.from_sizes(size * fractions, size * rises, slopes, -self.bound, self.bound)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bins={self.bins}, bound={self.bound:g})"


NARROWEST = 0.01
"""The narrowest bin, as a fraction of the mean one."""


def fractions_of(raw: Tensor, narrowest: float) -> Tensor:
    """Positive numbers with the sum 1, none below ``narrowest``, by a softmax over the last dimension."""
    return narrowest + (1 - narrowest * raw.shape[-1]) * raw.softmax(-1)


def widths_of(raw: Tensor) -> Tensor:
    """Fractions of the box for bins, none below a hundredth of the mean."""
    return fractions_of(raw, NARROWEST / raw.shape[-1])


def rises_of(widths: Tensor, raw: Tensor, steepness: float) -> tuple[Tensor, Tensor]:
    """Heights of bins as fractions of the box, and their mean slopes, between 1 / steepness and steepness."""
    slopes = bounded_exp(raw, math.sqrt(steepness))
    slopes = slopes / (widths * slopes).sum(-1, keepdim=True)
    return widths * slopes, slopes


def mean_slopes(slopes: Tensor) -> Tensor:
    """Harmonic means of neighbours, ``(..., K - 1)``: never above twice the smaller one."""
    left, right = slopes[..., :-1], slopes[..., 1:]
    return 2 * left * right / (left + right)


def check_steepness(name: str, steepness: float) -> None:
    """Refuse a steepness that is not above 1."""
    if not 1 < steepness < math.inf:
        raise ValueError(f"{name}: steepness is {steepness}, wanted a number above 1, such as 16.0")
