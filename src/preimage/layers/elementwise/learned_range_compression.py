"""Squashing all real numbers into a range that is learnt."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.functional.scalar.hyperbolic import log_logistic_slope
from preimage.layers.elementwise.elementwise import Elementwise
from preimage.layers.elementwise.learned_interval import LearnedInterval


class LearnedRangeCompression(Elementwise):
    r"""Scaled logistic function with learnable ends, :math:`y = a + e^s \sigma(x)`, onto (a, a + e^s).

    The width :math:`e^s` is positive whatever is learnt, so that the ends stay in order. log_det is
    :math:`\sum s + \log \sigma(x) + \log \sigma(-x)`.

    Reference: as :class:`RangeCompression`, https://arxiv.org/abs/1605.08803

    Args:
        shape: sizes of the first event dimensions that have a range of their own: ``()`` one for all,
            ``features`` one per feature or channel, ``(C, H, W)`` one per position.
        low: first value of every lower end.
        high: first value of every upper end, above ``low``.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value on or outside of the present ends.
        ShapeError: x does not begin with these sizes.
        ValueError: the ends are not finite and in order.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> LearnedRangeCompression(2)(torch.zeros(1, 2)).detach()
        tensor([[0.5000, 0.5000]])
    """

    def __init__(self, shape: int | Sequence[int] = (), low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        if not -math.inf < low < high < math.inf:
            raise ValueError(
                f"LearnedRangeCompression: the range is ({low}, {high}), wanted finite numbers in order"
            )
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.low = nn.Parameter(torch.full(sizes, float(low)))
        self.log_width = nn.Parameter(torch.full(sizes, math.log(high - low)))
        self.domain, self.codomain = Reals(*sizes, ...), LearnedInterval(self.low, self.log_width)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compress."""
        low, log_width = align_event(self.low, x), align_event(self.log_width, x)
        width = log_width.exp()
        y = torch.where(x < 0, low + width * x.sigmoid(), low + width - width * (-x).sigmoid())
        return y, log_width + log_logistic_slope(x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Expand."""
        low, log_width = align_event(self.low, y), align_event(self.log_width, y)
        above, below = (y - low).log(), (low + log_width.exp() - y).log()
        return above - below, log_width - above - below
