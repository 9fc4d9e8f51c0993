"""Cubic pieces."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.functional.roots import monotone_root
from preimage.functional.splines.curve import Curve
from preimage.functional.splines.rational_quadratic import RationalQuadratic


@final
class Cubic(Curve):
    r"""The cubic Hermite curve, :math:`\eta = a\,t u^2 + (3 - b)\,t^2 u + t^3` with :math:`u = 1 - t`.

    It rises everywhere if both slopes are below 3. The root comes from Newton steps that
    bisection safeguards, :func:`~preimage.functional.roots.monotone_root`: the closed form of Cardano
    has branches that lose all digits where the curve is nearly straight.

    Reference: Fritsch, Carlson (1980), Monotone piecewise cubic interpolation,
    https://doi.org/10.1137/0717021; Durkan, Bekasov, Murray, Papamakarios (2019), Cubic-spline flows,
    https://arxiv.org/abs/1906.02145

    Example:
        >>> a, b, t = torch.tensor(2.5), torch.tensor(0.1), torch.tensor(0.4)
        >>> value, rest, _ = Cubic().rise(t, 1 - t, a, b)
        >>> Cubic().root(value, rest, a, b)
        (tensor(0.4000), tensor(0.6000))
    """

    def rise(self, t: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bernstein form: no powers of large numbers, no differences in the value."""
        value = t * (a * rest * rest + (3 - b) * t * rest + t * t)
        left = rest * (b * t * t + (3 - a) * t * rest + rest * rest)
        return value, left, a * rest * rest + 2 * (3 - a - b) * t * rest + b * t * t

    def root(self, value: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """A fixed number of safeguarded Newton steps."""

        def function(t: Tensor) -> tuple[Tensor, Tensor]:
            height, _, slope = self.rise(t, 1 - t, a, b)
            return height, slope

        zero = torch.zeros_like(value)
        start, _ = RationalQuadratic().root(value, rest, a, b)  # nearly the same curve
        t = monotone_root(function, value, zero, zero + 1, steps=20, start=start)
        return t, 1 - t
