"""Where the pieces of a spline meet, and which piece a number belongs to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad


class Knots(NamedTuple):
    """The points that a monotone spline goes through, and its slopes there.

    Args:
        x: places, increasing along the last dimension, ``(..., K + 1)`` for K bins.
        y: values there, increasing, of the same shape.
        slopes: derivatives there, positive, of the same shape; beyond the ends the spline goes on with the
            first and the last one.

    Example:
        >>> sizes = torch.tensor([0.5, 1.5]), torch.tensor([1.0, 1.0])
        >>> Knots.from_sizes(*sizes, torch.ones(3), -1, 1)[:2]
        (tensor([-1.0000, -0.5000,  1.0000]), tensor([-1.,  0.,  1.]))
    """

    x: Tensor
    y: Tensor
    slopes: Tensor

    @classmethod
    def from_sizes(cls, widths: Tensor, heights: Tensor, slopes: Tensor, low: float, high: float) -> Knots:
        """Bins side by side in the square box from (low, low) to (high, high), whose corners are met exactly.

        Args:
            widths, heights: sizes of the bins, ``(..., K)``, with the sum high - low.
            slopes: derivatives at the knots, ``(..., K + 1)``.
            low, high: the box.
        """
        return cls(_stack(widths, low, high), _stack(heights, low, high), slopes)


class Bin(NamedTuple):
    """The ends of the bins that numbers lie in, each of the shape of the numbers."""

    left: Tensor
    right: Tensor
    bottom: Tensor
    top: Tensor
    start: Tensor
    """Slope at the left end."""
    end: Tensor
    """Slope at the right end."""

    @property
    def width(self) -> Tensor:
        """Size along x."""
        return self.right - self.left

    @property
    def height(self) -> Tensor:
        """Size along y."""
        return self.top - self.bottom


def find_bins(values: Tensor, places: Tensor, knots: Knots) -> Bin:
    """The bin of every number, by counting the inner knots at or below it.

    Args:
        values: numbers, any shape ``(...)``.
        places: ``knots.x`` or ``knots.y``.
        knots: shapes that broadcast to ``(..., K + 1)``.

    Cost: O(K) comparisons a number.

    Example:
        >>> knots = Knots.from_sizes(torch.ones(2), torch.ones(2), torch.ones(3), 0, 2)
        >>> find_bins(torch.tensor([0.5, 1.5]), knots.x, knots).left
        tensor([0., 1.])
    """
    index = (values[..., None] >= places[..., 1:-1]).sum(-1, keepdim=True)  # (..., 1)
    both = torch.cat([index, index + 1], dim=-1)  # (..., 2)
    ends = (side for part in knots for side in _take(part, both))
    return Bin(*ends)


def _take(part: Tensor, index: Tensor) -> tuple[Tensor, ...]:
    return part.expand(*index.shape[:-1], part.shape[-1]).gather(-1, index).unbind(-1)


def _stack(sizes: Tensor, low: float, high: float) -> Tensor:
    inner = low + sizes[..., :-1].cumsum(-1)
    return pad(pad(inner, (1, 0), value=low), (0, 1), value=high)
