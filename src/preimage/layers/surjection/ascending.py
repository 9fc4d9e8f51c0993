"""Ascending numbers as free ones."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import sum_event


class AscendingNumbers(Reals):
    """Vectors whose entries rise.

    Example:
        >>> domain = AscendingNumbers(None)
        >>> domain.outside(torch.tensor([[1.0, 3.0, 2.0]]))
        tensor([[False, False,  True]])
    """

    restricts_values = True

    def outside(self, x: Tensor) -> Tensor:
        """Not above the entry before."""
        return self.violation(x) > 0

    def violation(self, x: Tensor) -> Tensor:
        """How far below the entry before; the smallest normal number where equal."""
        drop = x[:, :-1] - x[:, 1:]
        wrong = torch.where(drop >= 0, drop.clamp_min(torch.finfo(x.dtype).tiny), torch.zeros_like(drop))
        return torch.cat([torch.zeros_like(x[:, :1]), wrong], dim=1)

    def squash(self, real: Tensor) -> Tensor:
        """Steps of a comfortable size, added up."""
        steps = 0.1 + torch.nn.functional.softplus(real[:, 1:])
        return torch.cat([real[:, :1], steps], dim=1).cumsum(1)

    def __str__(self) -> str:
        return "the vectors of ascending numbers"


class Ascending(Bijection):
    r"""Ascending numbers as free ones, :math:`y_1 = x_1`, :math:`y_i = \log(x_i - x_{i-1})`.

    What belongs behind a :class:`~preimage.layers.SortSurjection`: the layers after it may produce any
    numbers, and the way back is sorted. log_det is :math:`-\sum_{i > 1} y_i`.

    Reference: Stan Development Team (2024), ordered vectors,
    https://mc-stan.org/docs/reference-manual/transforms.html

    Args:
        features: number of values in a row.

    Returns:
        y ``(N, features)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x has another shape.
        DomainError: a row does not ascend.

    Cost: O(numel(x)).

    Example:
        >>> Ascending(3)(torch.tensor([[5.0, 6.0, 7.0]]))
        tensor([[5., 0., 0.]])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.domain, self.codomain = AscendingNumbers(features), Reals(features)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Logarithms of the steps."""
        steps = x[:, 1:] - x[:, :-1]
        rest = steps.log()
        return torch.cat([x[:, :1], rest], dim=1), -sum_event(rest)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Add up the steps."""
        x = torch.cat([y[:, :1], y[:, 1:].exp()], dim=1).cumsum(1)
        return x, sum_event(y[:, 1:])
