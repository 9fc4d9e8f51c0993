"""Knots whose slopes are bounded from both sides."""

from __future__ import annotations

import abc
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

SLOPE_FREEDOM = 4.0
"""How far a slope at a knot may lie from the harmonic mean of the slopes beside it, as a factor."""


class SteepnessRule(KnotRule, abc.ABC):
    r"""Knots from widths, mean slopes of the bins and slopes at the knots, all bounded.

    Widths are a softmax, none below a hundredth of the mean. The mean slope of every bin lies between 1 / S
    and S for the steepness S, whatever the number of bins: factors :math:`e^{c \tanh(r / c)}` with
    :math:`c = \tfrac12 \log S`, divided by their mean. Slopes at knots lie within a factor 4 of the harmonic
    mean of the slopes beside them, because a bin with steep ends has a flat middle. So the map cannot lose
    more digits than S allows, in either direction and for any raw numbers. Zeros give the identity.

    Reference: Fritsch, Butland (1984), A method for constructing local monotone piecewise cubic interpolants,
    https://doi.org/10.1137/0905021, for the harmonic mean

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest mean slope of a bin S, and the inverse of the smallest one; above 1.
        slopes: number of slopes at knots that are raw numbers.

    Raises:
        ValueError: a setting is out of range.

    Example:
        >>> from preimage.layers import BoundedKnots
        >>> isinstance(BoundedKnots(), SteepnessRule)
        True
    """

    def __init__(self, bins: int, bound: float, steepness: float, slopes: int) -> None:
        super().__init__(bins, bound, count=2 * bins + slopes)
        check_steepness(type(self).__name__, steepness)
        self.steepness, self._parts = float(steepness), [bins, bins, slopes]

    def knots(self, raw: Tensor) -> Knots:
        """Split the raw numbers into widths, mean slopes and slopes at knots."""
        raw_widths, raw_means, raw_slopes = raw.split(self._parts, dim=-1)
        widths = widths_of(raw_widths)
        rises, means = rises_of(widths, raw_means, self.steepness)
        return self.box(widths, rises, self.slopes_at_knots(means, bounded_exp(raw_slopes, SLOPE_FREEDOM)))

    @abc.abstractmethod
    def slopes_at_knots(self, means: Tensor, factors: Tensor) -> Tensor:
        """Slopes ``(..., K + 1)`` from the mean slopes ``(..., K)`` of the bins and the learned factors."""


@final
class BoundedKnots(SteepnessRule):
    r"""Knots of bounded slopes in a box, with slope 1 at its ends: the identity goes on beyond.

    Takes 3 K - 1 raw numbers, in this order: K widths, K mean slopes, K - 1 slopes at the inner knots; see
    :class:`~preimage.layers.SteepnessRule` for what they mean.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows,
    https://arxiv.org/abs/1906.04032, for the identity beyond the box

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest mean slope of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> BoundedKnots(4, 2.0).knots(torch.zeros(11)).slopes
        tensor([1., 1., 1., 1., 1.])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(bins, bound, steepness, slopes=bins - 1)

    def slopes_at_knots(self, means: Tensor, factors: Tensor) -> Tensor:
        """1 at both ends."""
        return pad(mean_slopes(means) * factors, (1, 1), value=1.0)


@final
class FreeEndKnots(SteepnessRule):
    r"""Knots of bounded slopes whose ends are learned too: lines with these slopes go on beyond the box.

    Takes 3 K + 1 raw numbers: K widths, K mean slopes, K + 1 slopes at the knots. Use it where the tails of
    the data are wider or narrower than those of the base density.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows,
    https://arxiv.org/abs/1906.04032

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest mean slope of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> FreeEndKnots(4, 2.0).count
        13
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(bins, bound, steepness, slopes=bins + 1)

    def slopes_at_knots(self, means: Tensor, factors: Tensor) -> Tensor:
        """The slope of the bin at both ends."""
        return torch.cat([means[..., :1], mean_slopes(means), means[..., -1:]], dim=-1) * factors


@final
class PeriodicKnots(SteepnessRule):
    r"""Knots of bounded slopes on a circle: both ends of the box have one learned slope.

    Takes 3 K raw numbers: K widths, K mean slopes, K slopes at the knots, the seam first.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres,
    https://arxiv.org/abs/2002.02428

    Args:
        bins: number of bins K, 2 or more.
        bound: half of the circle, pi for angles.
        steepness: largest mean slope of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> knots = PeriodicKnots(4).knots(torch.arange(12.0))
        >>> bool(knots.slopes[0] == knots.slopes[-1])
        True
    """

    def __init__(self, bins: int = 8, bound: float = torch.pi, steepness: float = 16.0) -> None:
        super().__init__(bins, bound, steepness, slopes=bins)

    def slopes_at_knots(self, means: Tensor, factors: Tensor) -> Tensor:
        """The last bin is the neighbour of the first."""
        around = torch.cat([means[..., -1:], means], dim=-1)
        slopes = mean_slopes(around) * factors  # (..., K)
        return torch.cat([slopes, slopes[..., :1]], dim=-1)
