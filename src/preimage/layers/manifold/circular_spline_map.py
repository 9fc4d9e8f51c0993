"""Splines on the circle."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor

from preimage.functional.splines import RationalQuadratic, spline, spline_inverse
from preimage.layers.manifold.circle_map import CircleMap, full_turns
from preimage.layers.spline.bounded_knots import PeriodicKnots


@final
class CircularSplineMap(CircleMap):
    r"""Rational-quadratic spline of the circle, followed by a rotation.

    From -pi to pi a spline whose slopes at both ends are equal, repeated every full turn; then a learned
    rotation. 3 K + 1 parameters an element: the 3 K of :class:`~preimage.layers.PeriodicKnots`, and the
    angle of the rotation. Zeros give the identity.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres, section 2.1.2,
    https://arxiv.org/abs/2002.02428

    Args:
        bins: number of bins K, 2 or more.
        steepness: largest mean slope of a bin, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element in either direction.

    Example:
        >>> import torch
        >>> CircularSplineMap().forward_elements(torch.tensor([0.5, 9.0]), torch.zeros(2, 25))[0]
        tensor([0.5000, 9.0000])
    """

    def __init__(self, bins: int = 8, steepness: float = 16.0) -> None:
        super().__init__(count=3 * bins + 1)
        self.knots, self.curve = PeriodicKnots(bins, math.pi, steepness), RationalQuadratic()

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Take full turns off, climb the spline, put them on again, rotate."""
        turns = full_turns(x)
        y, log_slope = spline(self.curve, x - turns, self.knots.knots(raw[..., :-1]))
        return y + turns + raw[..., -1], log_slope

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The same backwards."""
        y = y - raw[..., -1]
        turns = full_turns(y)
        x, log_slope = spline_inverse(self.curve, y - turns, self.knots.knots(raw[..., :-1]))
        return x + turns, log_slope

    def extra_repr(self) -> str:
        """The knots."""
        return repr(self.knots)
