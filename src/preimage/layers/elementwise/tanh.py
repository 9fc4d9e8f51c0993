"""Hyperbolic tangent."""

from __future__ import annotations

import math

from torch import Tensor

from preimage.domains import Interval
from preimage.functional.scalar.hyperbolic import log_logistic_slope
from preimage.layers.elementwise.elementwise import Elementwise


class Tanh(Elementwise):
    r"""Hyperbolic tangent, :math:`y = \tanh x`, onto the open interval (-1, 1).

    The inverse is :math:`x = (\log(1 + y) - \log(1 - y))/2`. From \|x\| = 9.1 (float32) and 19.1 (float64)
    on, y is exactly 1 or -1, which the inverse refuses. log_det is :math:`\sum \log 4 + \log \sigma(2x) +
    \log \sigma(-2x)`, which never takes the logarithm of 0.

    Reference: LeCun, Bottou, Orr, Müller (1998), Efficient BackProp, section 4.4,
    https://doi.org/10.1007/3-540-49430-8_2

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value outside (-1, 1).

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Tanh().forward_and_log_det(torch.tensor([[0.0, 30.0]]))
        (tensor([[0., 1.]]), tensor([-58.6137]))
    """

    codomain = Interval(-1, 1)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Hyperbolic tangent."""
        return x.tanh(), math.log(4) + log_logistic_slope(2 * x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Area tangent."""
        log_above, log_below = y.log1p(), (-y).log1p()
        return (log_above - log_below) / 2, -(log_above + log_below)
