"""Sums and averages of tensors, split again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.replace.merge import MergeReplacement
from preimage.replace.regression import RIDGE, LinearEstimate


class AddReplacement(MergeReplacement):
    r"""A sum :math:`s = a_1 + \dots + a_k`, split by the linear estimate of least mean square error.

    .. math:: \hat a_i = \mu_i + C_{a_i s} C_{ss}^{-1} (s - \mu_s), \qquad \sum_i \hat a_i = s

    C are covariances over the channels of one position. What is left of s is given to the last operand, so
    that the sum is kept to rounding whatever was fitted. Before :meth:`fit` every operand gets s / k.

    Reference: Kay (1993), Fundamentals of statistical signal processing: estimation theory, chapter 12,
    https://www.pearson.com/en-us/subject-catalog/p/P200000009261

    Args:
        operands: k, 2 or more.
        channels: C.
        ridge: relative weight of squared coefficients.

    Cost: C^2 a position and operand.

    Example:
        >>> add = AddReplacement(2, 1)
        >>> a, b = torch.randn(1000, 1), 0.2 * torch.randn(1000, 1)
        >>> add.fit([(a, b)])
        >>> left, right = add.split(a + b)
        >>> torch.allclose(left + right, a + b), bool((left - a).square().mean() < 0.05)
        (True, True)
    """

    def __init__(self, operands: int, channels: int, ridge: float = RIDGE) -> None:
        super().__init__(operands, channels)
        self.estimates = nn.ModuleList(LinearEstimate(channels, channels, ridge) for _ in range(operands - 1))
        for estimate in self._each():
            estimate.weight.copy_(torch.eye(channels) / operands)

    def merge(self, operands: Sequence[Tensor]) -> Tensor:
        """The sum."""
        return torch.stack(tuple(operands)).sum(0)

    def split(self, merged: Tensor) -> tuple[Tensor, ...]:
        """All but the last from their estimates, the last as what is left."""
        first = [estimate(merged) for estimate in self._each()]
        return (*first, merged - torch.stack(first).sum(0))

    def count(self, operands: Sequence[Tensor]) -> None:
        """Second moments of the sum with every operand."""
        total = torch.stack(tuple(operands)).sum(0)
        for estimate, operand in zip(self._each(), operands, strict=False):
            estimate.count(total, operand)

    def solve(self) -> None:
        """The regressions."""
        for estimate in self._each():
            estimate.solve()

    def _each(self) -> list[LinearEstimate]:
        return [estimate for estimate in self.estimates if isinstance(estimate, LinearEstimate)]


@final
class AverageReplacement(AddReplacement):
    r"""A mean :math:`(a_1 + \dots + a_k) / k`, split as a sum is; averaging the estimates gives it back.

    Args:
        operands: k, 2 or more.
        channels: C.
        ridge: relative weight of squared coefficients.

    Cost: that of :class:`AddReplacement`.

    Example:
        >>> average = AverageReplacement(2, 3)
        >>> y = torch.randn(4, 3)
        >>> torch.allclose(average(*average.split(y)), y)
        True
    """

    def merge(self, operands: Sequence[Tensor]) -> Tensor:
        """The mean."""
        return super().merge(operands) / self.operands

    def split(self, merged: Tensor) -> tuple[Tensor, ...]:
        """As a sum."""
        return super().split(self.operands * merged)
