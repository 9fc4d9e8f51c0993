"""Splines of any curve, going on as straight lines beyond their ends."""

from __future__ import annotations

import torch
from torch import Tensor

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
    inner = _into(x, knots.x)
    box = find_bins(inner, knots.x, knots)
    width, height = box.width, box.height
    steep = height / width
    t, rest = (inner - box.left) / width, (box.right - inner) / width
    value, _, slope = curve.rise(t, rest, box.start / steep, box.end / steep)
    tail, tail_slope = _line(x, knots.x, knots.y, knots.slopes)
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
    inner = _into(y, knots.y)
    box = find_bins(inner, knots.y, knots)
    width, height = box.width, box.height
    steep = height / width
    a, b = box.start / steep, box.end / steep
    t, rest = curve.root((inner - box.bottom) / height, (box.top - inner) / height, a, b)
    _, _, slope = curve.rise(t, rest, a, b)
    tail, tail_slope = _line(y, knots.y, knots.x, 1 / knots.slopes)
    inside = y == inner
    x = torch.where(inside, box.left + width * t, tail)
    return x, torch.where(inside, 1 / (slope * steep), tail_slope).log()


def _into(x: Tensor, places: Tensor) -> Tensor:
    """x, moved to the nearest end of the box; x itself, with its gradient, on the ends."""
    low, high = places[..., 0].detach(), places[..., -1].detach()
    return torch.where(x < low, low, torch.where(x > high, high, x))


def _line(x: Tensor, places: Tensor, values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """The lines beyond both ends; exactly x itself for slope 1 through a knot on the diagonal."""
    lower = x < places[..., 0]
    place = torch.where(lower, places[..., 0], places[..., -1])
    value = torch.where(lower, values[..., 0], values[..., -1])
    slope = torch.where(lower, slopes[..., 0], slopes[..., -1])
    return x * slope + (value - slope * place), slope
