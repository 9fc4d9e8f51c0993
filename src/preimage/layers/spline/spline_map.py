"""Splines as maps of single numbers."""

from __future__ import annotations

import abc
from typing import final

from torch import Tensor

from preimage.functional.splines import (
    Cubic,
    Curve,
    Linear,
    Quadratic,
    RationalQuadratic,
    spline,
    spline_inverse,
)
from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.spline.bounded_knots import BoundedKnots
from preimage.layers.spline.curve_knots import AreaKnots, BinKnots, HermiteKnots
from preimage.layers.spline.knot_rule import KnotRule


class SplineMap(ElementMap, abc.ABC):
    """A monotone spline of any curve through any knots, straight beyond its ends.

    log_det of an element is the log-slope of the spline. No index of variable length is used anywhere:
    numbers inside and outside of the box take the same way, so that gradients at and beyond its edges are
    right and compilers see one graph.

    Args:
        curve: what the spline looks like inside of a bin.
        knots: how raw numbers become knots.

    Example:
        >>> isinstance(RationalQuadraticMap(), SplineMap)
        True
    """

    @abc.abstractmethod
    def __init__(self, curve: Curve, knots: KnotRule) -> None:
        super().__init__(count=knots.count)
        self.curve, self.knots = curve, knots

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Climb the spline."""
        return spline(self.curve, x, self.knots.knots(raw))

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Find the place where it takes the value."""
        return spline_inverse(self.curve, y, self.knots.knots(raw))

    def extra_repr(self) -> str:
        """The knots."""
        return f"{type(self.curve).__name__}, {self.knots!r}"


@final
class CustomSplineMap(SplineMap):
    """A spline put together from a curve and a rule for its knots.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows,
    https://arxiv.org/abs/1906.04032

    Args:
        curve: what the spline looks like inside of a bin, from :mod:`preimage.functional.splines`.
        knots: how raw numbers become knots, such as :class:`~preimage.layers.FreeEndKnots`.

    Cost: O(K) an element for K bins.

    Example:
        >>> import torch
        >>> from preimage.layers import SoftmaxKnots
        >>> durkan = CustomSplineMap(RationalQuadratic(), SoftmaxKnots(8, 3.0))
        >>> x, raw = torch.tensor([0.3, 5.0]), torch.ones(2, durkan.count)
        >>> torch.allclose(durkan.inverse_elements(durkan.forward_elements(x, raw)[0], raw)[0], x)
        True
    """

    def __init__(self, curve: Curve, knots: KnotRule) -> None:
        super().__init__(curve, knots)


@final
class RationalQuadraticMap(SplineMap):
    r"""Rational-quadratic spline with the identity beyond its box, well-conditioned by construction.

    In each bin a quotient of parabolas, :class:`~preimage.functional.splines.RationalQuadratic`, with a
    closed inverse that no rounding can break. 3 K - 1 parameters an element, read by
    :class:`~preimage.layers.BoundedKnots`; zeros give the identity.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows,
    https://arxiv.org/abs/1906.04032

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest mean slope of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element in either direction.

    Example:
        >>> import torch
        >>> RationalQuadraticMap().forward_elements(torch.tensor([0.5, 9.0]), torch.zeros(2, 23))[0]
        tensor([0.5000, 9.0000])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(RationalQuadratic(), BoundedKnots(bins, bound, steepness))


@final
class LinearSplineMap(SplineMap):
    r"""Piecewise linear map with the identity beyond its box.

    2 K parameters an element: K widths and K slopes, the slopes between 1 / S and S. Continuous, but its
    density has jumps and its gradient by x is constant in every bin.

    Reference: Müller, McWilliams, Rousselle, Gross, Novák (2019), Neural importance sampling,
    https://arxiv.org/abs/1808.03856

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest slope S, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element in either direction.

    Example:
        >>> import torch
        >>> LinearSplineMap().forward_elements(torch.tensor([0.5, 9.0]), torch.zeros(2, 16))[0]
        tensor([0.5000, 9.0000])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(Linear(), BinKnots(bins, bound, steepness))


@final
class QuadraticSplineMap(SplineMap):
    r"""Piecewise quadratic map, its slope a broken line, with the identity beyond its box.

    2 K - 1 parameters an element: K widths and K - 1 slopes at the inner knots, scaled so that the area under
    them fits the box; slopes lie between 1 / S and S.

    Reference: Müller, McWilliams, Rousselle, Gross, Novák (2019), Neural importance sampling,
    https://arxiv.org/abs/1808.03856

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest slope S, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element in either direction.

    Example:
        >>> import torch
        >>> QuadraticSplineMap().forward_elements(torch.tensor([0.5, 9.0]), torch.zeros(2, 15))[0]
        tensor([0.5000, 9.0000])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(Quadratic(), AreaKnots(bins, bound, steepness))


@final
class CubicSplineMap(SplineMap):
    r"""Piecewise cubic map, going on beyond its box as straight lines with the slopes of its ends.

    3 K + 1 parameters an element: K widths, K mean slopes, K + 1 slopes at the knots, each between 0.2 and
    1.2 times the harmonic mean of the slopes beside it, so that every cubic rises. The inverse is
    numerical: Newton steps that bisection keeps in the bin, with implicit gradients.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Cubic-spline flows,
    https://arxiv.org/abs/1906.02145

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest mean slope of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element forward, and about ten evaluations of a cubic more in the inverse.

    Example:
        >>> import torch
        >>> CubicSplineMap().forward_elements(torch.tensor([0.5, 9.0]), torch.zeros(2, 25))[0]
        tensor([0.5000, 9.0000])
    """

    def __init__(self, bins: int = 8, bound: float = 4.0, steepness: float = 16.0) -> None:
        super().__init__(Cubic(), HermiteKnots(bins, bound, steepness))
