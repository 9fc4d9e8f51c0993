"""Splines of any curve, going on as straight lines beyond their ends."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.scalar.tails import into_box, lines_beyond
from preimage.functional.splines.curve import Curve
from preimage.functional.splines.knots import Knots, find_bins


def spline(curve: Curve, x: Tensor, knots: Knots) -> tuple[Tensor, Tensor]:
    r"""The value of a monotone spline and the logarithm of its slope.

    Inside of a bin of width w and height h, :math:`y = y_k + h\,\eta((x - x_k)/w)` with end slopes
    :math:`a = \delta_k w/h` and :math:`b = \delta_{k+1} w/h`. Beyond the last knots the line with the slope
    there. Both parts are computed everywhere, the first from x moved to the box, so that no number outside
    of it can spoil a gradient.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), https://arxiv.org/abs/1906.04032

    Args:
        curve: the family of curves.
        x: any shape ``(...)``.
        knots: of shapes that broadcast to ``(..., K + 1)``.

    Returns:
        y and log dy/dx, of the shape of x.

    Cost: O(K) a number.

    Example:
        >>> from preimage.functional.splines import RationalQuadratic
        >>> knots = Knots.from_sizes(torch.ones(2), torch.ones(2), torch.ones(3), -1, 1)
        >>> spline(RationalQuadratic(), torch.tensor([0.25, 7.0]), knots)
        (tensor([0.2500, 7.0000]), tensor([0., 0.]))
    """
    inner = into_box(x, knots.x[..., 0], knots.x[..., -1])
    box = find_bins(inner, knots.x, knots)
    width, height = box.width, box.height
    steep = height / width
    t, rest = (inner - box.left) / width, (box.right - inner) / width
    value, _, slope = curve.rise(t, rest, box.start / steep, box.end / steep)
    tail, tail_slope = lines_beyond(x, knots.x, knots.y, knots.slopes)
    inside = x == inner
    y = torch.where(inside, box.bottom + height * value, tail)
    return y, torch.where(inside, slope * steep, tail_slope).log()


def spline_inverse(curve: Curve, y: Tensor, knots: Knots) -> tuple[Tensor, Tensor]:
    """The inverse of :func:`spline` and the logarithm of its slope.

    Args:
        curve: the family of curves.
        y: any shape ``(...)``.
        knots: of shapes that broadcast to ``(..., K + 1)``.

    Returns:
        x and log dx/dy, of the shape of y.

    Cost: O(K) a number.

    Example:
        >>> from preimage.functional.splines import RationalQuadratic
        >>> knots = Knots.from_sizes(torch.ones(2), torch.ones(2), torch.ones(3), -1, 1)
        >>> spline_inverse(RationalQuadratic(), torch.tensor([0.25, 7.0]), knots)[0]
        tensor([0.2500, 7.0000])
    """
    inner = into_box(y, knots.y[..., 0], knots.y[..., -1])
    box = find_bins(inner, knots.y, knots)
    width, height = box.width, box.height
    steep = height / width
    a, b = box.start / steep, box.end / steep
    t, rest = curve.root((inner - box.bottom) / height, (box.top - inner) / height, a, b)
    _, _, slope = curve.rise(t, rest, a, b)
    tail, tail_slope = lines_beyond(y, knots.y, knots.x, 1 / knots.slopes)
    inside = y == inner
    x = torch.where(inside, box.left + width * t, tail)
    return x, torch.where(inside, 1 / (slope * steep), tail_slope).log()
