"""Quotients of two parabolas."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.functional.splines.curve import Curve


@final
class RationalQuadratic(Curve):
    r"""The rational quadratic curve with slopes a and b at its ends.

    With :math:`u = 1 - t`,

    .. math:: \eta = \frac{t\,(t + a u)}{t^2 + u^2 + (a + b)\,t u}, \qquad
        1 - \eta = \frac{u\,(u + b t)}{t^2 + u^2 + (a + b)\,t u}, \qquad
        \eta' = \frac{b t^2 + 2 t u + a u^2}{(t^2 + u^2 + (a + b)\,t u)^2}.

    The root is :math:`t = 2\eta / (2\eta + q)` with :math:`q = m + \sqrt{m^2 + 4\eta(1-\eta)}` and
    :math:`m = a (1 - \eta) - b \eta`. Where m is negative q is taken from the product of both roots, so that
    no formula holds a difference of nearly equal numbers: the discriminant, a sum of squares, cannot become
    negative, and t cannot leave the bin.

    Reference: Gregory, Delbourgo (1982), Piecewise rational quadratic interpolation to monotonic data,
    https://doi.org/10.1093/imanum/2.2.123; Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows,
    https://arxiv.org/abs/1906.04032

    Example:
        >>> a, b, t = torch.tensor(9.0), torch.tensor(1e-3), torch.tensor(0.4)
        >>> value, rest, _ = RationalQuadratic().rise(t, 1 - t, a, b)
        >>> RationalQuadratic().root(value, rest, a, b)
        (tensor(0.4000), tensor(0.6000))
    """

    def rise(self, t: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sums of positive terms."""
        below = t * t + rest * rest + (a + b) * (t * rest)
        slope = (b * t * t + 2 * t * rest + a * rest * rest) / (below * below)
        return t * (t + a * rest) / below, rest * (rest + b * t) / below, slope

    def root(self, value: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The root of the quadratic equation that lies in the bin."""
        m = a * rest - b * value
        product = 4 * value * rest
        size = torch.sqrt(m * m + product)  # zero never: at either end of the bin m is a slope
        falling = m < 0
        other = size + torch.where(falling, -m, m)
        q = torch.where(falling, product / other, other)
        return 2 * value / (2 * value + q), q / (2 * value + q)
