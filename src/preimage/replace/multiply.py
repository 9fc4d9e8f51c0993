"""Products of tensors, split again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.replace.merge import MergeReplacement
from preimage.replace.regression import RIDGE, LinearEstimate


@final
class MultiplyReplacement(MergeReplacement):
    r"""A product :math:`p = a_1 \cdots a_k`, split by least squares in the logarithms of the sizes.

    All but the first operand are estimated as :math:`\hat a_i = \sigma_i e^{\widehat{\log |a_i|}}`, with the
    sign :math:`\sigma_i` that they mostly have, channel by channel; the first is the quotient, so that the
    product is kept. Put the operand with both signs first, and gates, which are positive, behind it.

    A squeeze-and-excite gate of the operand itself needs no estimate: ``preimage.invert`` solves it exactly.

    Reference: Kay (1993), Fundamentals of statistical signal processing: estimation theory, chapter 12,
    https://www.pearson.com/en-us/subject-catalog/p/P200000009261

    Args:
        operands: k, 2 or more.
        channels: C.
        ridge: relative weight of squared coefficients.

    Cost: C^2 a position and operand.

    Example:
        >>> x, gate = torch.randn(1000, 1), 0.5 + 0.1 * torch.rand(1000, 1)
        >>> multiply = MultiplyReplacement(2, 1)
        >>> multiply.fit([(x, gate)])
        >>> left, right = multiply.split(x * gate)
        >>> torch.allclose(left * right, x * gate), bool((left - x).abs().mean() < 0.1)
        (True, True)
    """

    signs: Tensor  # (operands - 1, C)

    def __init__(self, operands: int, channels: int, ridge: float = RIDGE) -> None:
        super().__init__(operands, channels)
        self.sizes = nn.ModuleList(LinearEstimate(channels, channels, ridge) for _ in range(operands - 1))
        self.register_buffer("signs", torch.ones(operands - 1, channels))
        self._balance = torch.zeros(operands - 1, channels)

    def merge(self, operands: Sequence[Tensor]) -> Tensor:
        """The product."""
        return torch.stack(tuple(operands)).prod(0)

    def split(self, merged: Tensor) -> tuple[Tensor, ...]:
        """The quotient, then the estimates."""
        logs = _log_size(merged)
        rest = []
        for size, sign in zip(self.sizes, self.signs, strict=True):
            shape = (1, -1, *[1] * (merged.dim() - 2))
            rest.append(sign.view(shape).to(merged) * size(logs).exp())
        return (merged / torch.stack(rest).prod(0), *rest)

    def count(self, operands: Sequence[Tensor]) -> None:
        """Moments of the logarithms, and the balance of signs."""
        logs = _log_size(self.merge(operands))
        for place, (size, operand) in enumerate(zip(self.sizes, operands[1:], strict=True)):
            if isinstance(size, LinearEstimate):
                size.count(logs, _log_size(operand))
            axes = [0, *range(2, operand.dim())]
            self._balance[place] += operand.sign().sum(axes).to(self._balance)

    def solve(self) -> None:
        """The regressions, and the signs of the majority."""
        for size in self.sizes:
            if isinstance(size, LinearEstimate):
                size.solve()
        self.signs = torch.where(self._balance < 0, -1.0, 1.0).to(self.signs)
        self._balance = torch.zeros_like(self._balance)


def _log_size(x: Tensor) -> Tensor:
    """log abs x, from the square root of the smallest normal number on: zeros say little."""
    return x.abs().clamp_min(torch.finfo(x.dtype).eps).log()
