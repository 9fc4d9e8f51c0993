"""The padding that other libraries call ``same``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn
from torch.nn import functional


@final
class SamePad(nn.Module):
    """Pads so that a window with stride s gives ``ceil(n / s)`` outputs for n inputs.

    Args:
        kernel, stride, dilation: one number for each spatial axis.
        upper: whether an odd pixel goes to the end of the axis rather than to its start.
        value: what is padded with.
    """

    def __init__(
        self,
        kernel: Sequence[int],
        stride: Sequence[int],
        dilation: Sequence[int],
        *,
        upper: bool = True,
        value: float = 0.0,
    ) -> None:
        super().__init__()
        self.windows = tuple(zip(kernel, stride, dilation, strict=True))
        self.upper, self.value = upper, value

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, *spatial)`` with its borders."""
        amounts = self.amounts(x)
        return functional.pad(x, amounts, value=self.value) if any(amounts) else x

    def amounts(self, x: Tensor) -> list[int]:
        """How much is padded at the start and end of each spatial axis, the last axis first."""
        amounts: list[int] = []
        for size, (kernel, stride, dilation) in zip(x.shape[2:], self.windows, strict=True):
            total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
            small = total // 2
            pair = (small, total - small) if self.upper else (total - small, small)
            amounts = [*pair, *amounts]
        return amounts
