"""Largest of several tensors, split again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.errors import DomainError
from preimage.replace.merge import MergeReplacement


@final
class MaximumReplacement(MergeReplacement):
    r"""A maximum :math:`m = \max(a_1, \dots, a_k)`, split into one winner and losers.

    Channel by channel, linear in m: which operand wins with which probability, and what the others are where
    they lose. The most probable operand gets m itself, the others their estimate, at most m; so the maximum
    is kept. Before :meth:`fit` every operand gets m.

    Reference: Clark (1961), The greatest of a finite set of random variables,
    https://doi.org/10.1287/opre.9.2.145

    Args:
        operands: k, 2 or more.
        channels: C.

    Cost: O(k) a number.

    Example:
        >>> a, b = torch.randn(1000, 1), torch.randn(1000, 1) - 5
        >>> maximum = MaximumReplacement(2, 1)
        >>> maximum.fit([(a, b)])
        >>> left, right = maximum.split(torch.maximum(a, b))
        >>> bool((left - a).abs().max() < 1e-3), abs(right.mean().item() + 5) < 0.2
        (True, True)
    """

    wins: Tensor  # (k, 2, C): offset and slope of the probability to win
    loses: Tensor  # (k, 2, C): offset and slope of the value of a loser

    def __init__(self, operands: int, channels: int) -> None:
        super().__init__(operands, channels)
        start = torch.zeros(operands, 2, channels)
        self.register_buffer("wins", start.clone())
        self.register_buffer("loses", start + torch.tensor([0.0, 1.0])[None, :, None])
        self._sums: Tensor | None = None

    def merge(self, operands: Sequence[Tensor]) -> Tensor:
        """The maximum."""
        return torch.stack(tuple(operands)).amax(0)

    def split(self, merged: Tensor) -> tuple[Tensor, ...]:
        """The winner as it is, the losers from their estimates."""
        winner = torch.stack([_line(line, merged) for line in self.wins]).argmax(0)  # (N, C, ...)
        losers = (torch.minimum(_line(line, merged), merged) for line in self.loses)
        return tuple(torch.where(winner == place, merged, loser) for place, loser in enumerate(losers))

    def count(self, operands: Sequence[Tensor]) -> None:
        """Sums for two lines an operand and channel."""
        merged = _columns(self.merge(operands))  # (P, C)
        sums = []
        for operand in operands:
            value = _columns(operand)
            lost = (value < merged).double()
            sums.append(
                torch.stack([_sums(merged, 1 - lost, torch.ones_like(lost)), _sums(merged, value, lost)])
            )
        found = torch.stack(sums)  # (k, 2, 5, C)
        self._sums = found if self._sums is None else self._sums + found

    def solve(self) -> None:
        """The lines of least squares."""
        if self._sums is None:
            raise DomainError("there is nothing to fit to: give the calibration stream one batch or more")
        self.wins = _fitted(self._sums[:, 0]).to(self.wins)
        self.loses = _fitted(self._sums[:, 1]).to(self.loses)
        self._sums = None


def _line(line: Tensor, x: Tensor) -> Tensor:
    """offset + slope x, channel by channel; ``line (2, C)``."""
    offset, slope = line.to(x).view(2, 1, -1, *[1] * (x.dim() - 2))
    return offset + slope * x


def _columns(x: Tensor) -> Tensor:
    return x.detach().double().movedim(1, -1).reshape(-1, x.shape[1])


def _sums(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums of 1, x, x x, y and x y, ``(5, C)``."""
    return torch.stack([(weight * term).sum(0) for term in (torch.ones_like(x), x, x * x, y, x * y)])


def _fitted(sums: Tensor) -> Tensor:
    """Offset and slope ``(k, 2, C)`` from sums ``(k, 5, C)``; a constant where x does not vary."""
    count, x, xx, y, xy = sums.unbind(1)
    count = count.clamp_min(1.0)
    variance = xx / count - (x / count).square()
    covariance = xy / count - x * y / count.square()
    slope = torch.where(variance > 1e-12, covariance / variance.clamp_min(1e-12), 0.0)
    return torch.stack([y / count - slope * x / count, slope], 1)
