"""Squashing all real numbers into a fixed range."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.domains import Interval
from preimage.functional.scalar.hyperbolic import log_logistic_slope
from preimage.layers.elementwise.elementwise import Elementwise


class RangeCompression(Elementwise):
    r"""Scaled logistic function, :math:`y = a + (b - a)\,\sigma(x)`, onto the open range (a, b).

    Forward compresses; ``RangeCompression(a, b).inv`` takes data within the range to all real numbers, by
    :math:`x = \log(y - a) - \log(b - y)`. log_det is
    :math:`\sum \log(b - a) + \log \sigma(x) + \log \sigma(-x)`.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 4.1, https://arxiv.org/abs/1605.08803

    Args:
        low: lower end a of the range.
        high: upper end b, above ``low``.

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value on or outside of the ends.
        ValueError: the ends are not finite and in order.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> RangeCompression(-2, 2)(torch.tensor([[0.0, 3.0]]))
        tensor([[0.0000, 1.8103]])
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if not -math.inf < low < high < math.inf:
            raise ValueError(
                f"RangeCompression: the range is ({low}, {high}), wanted finite numbers in order"
            )
        self.low, self.high = low, high
        self.codomain = Interval(low, high)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compress."""
        width = self.high - self.low
        y = torch.where(x < 0, self.low + width * x.sigmoid(), self.high - width * (-x).sigmoid())
        return y, math.log(width) + log_logistic_slope(x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Expand."""
        above, below = (y - self.low).log(), (self.high - y).log()
        return above - below, math.log(self.high - self.low) - above - below

    def extra_repr(self) -> str:
        """The ends."""
        return f"low={self.low}, high={self.high}"
