"""Going on as a straight line beyond the ends of a box."""

from __future__ import annotations

import torch
from torch import Tensor


def into_box(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """x, moved to the nearest end of the box; x itself, with its gradient, on the ends.

    Args:
        x: any shape.
        low, high: the box, of shapes that broadcast to x; they get no gradient.

    Returns:
        Tensor of the shape of x; NaN stays NaN.

    Example:
        >>> into_box(torch.tensor([0.5, 3.0]), torch.tensor(0.0), torch.tensor(1.0))
        tensor([0.5000, 1.0000])
    """
    low, high = low.detach(), high.detach()
    return torch.where(x < low, low, torch.where(x > high, high, x))


def lines_beyond(x: Tensor, places: Tensor, values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """The lines through both ends of a curve, each in its half of the axis.

    Args:
        x: any shape ``(...)``.
        places, values, slopes: the curve ``(..., K)``; only its first and last points count.

    Returns:
        The value and the slope of the line at x, of the shape of x. Exactly x for a line of slope 1 through a
        point of equal coordinates.

    Example:
        >>> ends = torch.tensor([-1.0, 1.0])
        >>> lines_beyond(torch.tensor([-3.0, 3.0]), ends, ends, torch.tensor([1.0, 2.0]))[0]
        tensor([-3.,  5.])
    """
    lower = x < places[..., 0]
    place = torch.where(lower, places[..., 0], places[..., -1])
    value = torch.where(lower, values[..., 0], values[..., -1])
    slope = torch.where(lower, slopes[..., 0], slopes[..., -1])
    return x * slope + (value - slope * place), slope
