"""Base class of maps that fall before they rise."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor

from preimage.checks import values_are_visible
from preimage.domains import Interval
from preimage.errors import DomainError
from preimage.functional.event import sum_event
from preimage.layers.elementwise.branched import Branched
from preimage.layers.elementwise.whole_numbers import WholeNumbers


class Dip(Branched, abc.ABC):
    r"""A map that falls to one lowest point and rises from there, such as Swish and GELU.

    Branch 0 lies right of the lowest point, branch 1 left of it. Left of it only values between the lowest
    one and zero are reached: a value of 0 or more on branch 1 is refused.

    Args:
        turn: where the lowest point lies, negative.
        lowest: the value there, negative.

    Example:
        >>> from preimage.layers import GELU
        >>> issubclass(GELU, Dip)
        True
    """

    def __init__(self, turn: float, lowest: float) -> None:
        super().__init__()
        self.turn, self.lowest = turn, lowest
        self.codomain = (Interval(lowest, math.inf, closed=True), WholeNumbers(0, 1))

    @abc.abstractmethod
    def value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x) and log abs f'(x)."""

    @abc.abstractmethod
    def right(self, y: Tensor) -> Tensor:
        """The preimage right of the lowest point, for y from the lowest value on."""

    @abc.abstractmethod
    def left(self, y: Tensor) -> Tensor:
        """The preimage left of the lowest point, for y between the lowest value and 0."""

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The value, and whether x lies left of the lowest point."""
        y, log_slope = self.value(x)
        return y.clamp_min(self.lowest), (x < self.turn).to(x.dtype), log_slope

    def inverse_elements(self, y: Tensor, branch: Tensor) -> tuple[Tensor, Tensor]:
        """Each branch by its own formula, kept on its side."""
        is_left = branch > 0.5
        impossible = is_left & (y >= 0)
        self._refuse(impossible, y)
        middle = torch.full_like(y, self.lowest / 2)
        right = self.right(torch.where(is_left, middle, y)).clamp_min(self.turn)
        edge = self.turn * (1 + torch.finfo(y.dtype).eps)
        left = self.left(torch.where(is_left & ~impossible, y, middle)).clamp_max(edge)
        x = torch.where(is_left, left, right)
        x = torch.where(impossible, torch.full_like(x, math.nan), x)
        return x, -self.value(x)[1]

    def _refuse(self, impossible: Tensor, y: Tensor) -> None:
        if not values_are_visible() or not impossible.any():
            return
        raise DomainError(
            f"{type(self).__name__}.inverse_and_log_det: branch 1 holds values from {self.lowest:.6g} up to,"
            f" but not including, 0; got {int(impossible.sum())} others, such as {y[impossible][0].item():g};"
            " a 0 there means that x was too negative for this precision",
            violation=sum_event(impossible.to(y.dtype) + (y * impossible).abs().detach()),
        )
