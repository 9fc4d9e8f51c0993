"""Clamping to a range, with a penalty that makes it unnecessary."""

from __future__ import annotations

from torch import Tensor

from preimage.domains import Interval
from preimage.functional.event import sum_event
from preimage.layers.surjection.one_sided import OneSided, Side


def range_penalty(x: Tensor, low: float, high: float) -> Tensor:
    r"""How far a row leaves a range, :math:`\sum_i 0.95\,d_i^2 + 0.05\,d_i` with the overshoot :math:`d_i`.

    The square keeps far values from running away, the small absolute part pulls the last ones in. Record it
    in both directions with ``TapLoss("range", lambda x: range_penalty(x, low, high))``.

    Args:
        x: tensor ``(N, ...)``.
        low: lower end of the range.
        high: upper end of the range.

    Returns:
        Tensor ``(N,)``, 0 for rows within the range.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> range_penalty(torch.tensor([[0.5, 0.0], [3.0, 0.0]]), -1, 1)
        tensor([0.0000, 3.9000])
    """
    overshoot = (low - x).clamp_min(0) + (x - high).clamp_min(0)
    return sum_event(0.95 * overshoot * overshoot + 0.05 * overshoot)


class RangeClamp(OneSided):
    r"""Clamping, :math:`f(x) = \min(\max(x, a), b)`: not a bijection, and so not one here.

    Everything beyond an end becomes the end. Only the law f(g(y)) = y holds, with g the identity on the
    closed range, which also gives the preimage closest to y. Within the range nothing changes: train with
    :meth:`penalty`, until values stay inside. Where a bijection is wanted, use
    :class:`~preimage.layers.RangeCompression`.

    Reference: activity regularisation as in Merity, McCann, Socher (2017), https://arxiv.org/abs/1708.01009

    Args:
        low: lower end a.
        high: upper end b, above ``low``; either may be infinite.

    Returns:
        A tensor of the shape of x ``(N, ...)``.

    Raises:
        DomainError: ``inverse`` gets a value outside of the range, which no x maps to.
        ValueError: the ends are not in order.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> clamp = RangeClamp(-1, 1)
        >>> clamp(torch.tensor([[0.5, 3.0]])), clamp.penalty(torch.tensor([[0.5, 3.0]]))
        (tensor([[0.5000, 1.0000]]), tensor([3.9000]))
        >>> clamp.side
        'right'
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if not low < high:
            raise ValueError(f"RangeClamp: the range is [{low}, {high}], wanted two numbers in order")
        self.low, self.high = low, high
        self.codomain = Interval(low, high, closed=True)

    @property
    def side(self) -> Side:
        """Every value of the range has a preimage, but not only one."""
        return "right"

    def forward_values(self, x: Tensor) -> Tensor:
        """Clamp."""
        return x.clamp(self.low, self.high)

    def inverse_values(self, y: Tensor) -> Tensor:
        """The member of the preimage that is y itself."""
        return y

    def penalty(self, x: Tensor) -> Tensor:
        """How far each row leaves the range ``(N,)``, see :func:`range_penalty`."""
        return range_penalty(x, self.low, self.high)

    def extra_repr(self) -> str:
        """The ends."""
        return f"low={self.low}, high={self.high}"
