"""The knots of the first neural spline flows."""

from __future__ import annotations

from typing import final

from torch import Tensor
from torch.nn.functional import pad, softplus

from preimage.functional.splines import Knots
from preimage.layers.spline.knot_rule import KnotRule, fractions_of


@final
class SoftmaxKnots(KnotRule):
    r"""Widths and heights from a softmax each, slopes from a softplus; slope 1 at both ends of the box.

    Takes 3 K - 1 raw numbers: K widths, K heights, K - 1 slopes at the inner knots. Each has a least value
    m: widths and heights are :math:`m + (1 - K m)\,\mathrm{softmax}(r)` of the box, slopes
    :math:`m + \log(1 + e^r)`. This is how nflows and normflows read their numbers, so that weights trained
    there work here. Slopes may range over six orders of magnitude, and float32 cannot undo those: use
    :class:`~preimage.layers.BoundedKnots` for new networks.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows,
    https://arxiv.org/abs/1906.04032

    Args:
        bins: number of bins K, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        minimum: the least width and height as a fraction of the box, and the least slope; below 1 / K.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element.

    Example:
        >>> import torch
        >>> SoftmaxKnots(4, 2.0).knots(torch.zeros(11)).y
        tensor([-2., -1.,  0.,  1.,  2.])
    """

    def __init__(self, bins: int = 8, bound: float = 3.0, minimum: float = 1e-3) -> None:
        super().__init__(bins, bound, count=3 * bins - 1)
        if not 0 < minimum * bins < 1:
            raise ValueError(f"SoftmaxKnots: minimum is {minimum}, wanted it between 0 and {1 / bins:g}")
        self.minimum = float(minimum)

    def knots(self, raw: Tensor) -> Knots:
        """Split the raw numbers into widths, heights and slopes."""
        widths, heights, slopes = raw.split([self.bins, self.bins, self.bins - 1], dim=-1)
        inner = self.minimum + softplus(slopes)
        return self.box(
            fractions_of(widths, self.minimum),
            fractions_of(heights, self.minimum),
            pad(inner, (1, 1), value=1.0),
        )
