"""How much convolutions and pools pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.onnx.operation import Operation


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
        amounts: list[int] = []
        for size, (kernel, stride, dilation) in zip(x.shape[2:], self.windows, strict=True):
            total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
            small = total // 2
            pair = (small, total - small) if self.upper else (total - small, small)
            amounts = [*pair, *amounts]  # the last axis comes first
        return functional.pad(x, amounts, value=self.value) if any(amounts) else x


def padded(
    op: Operation, x: Value, kernel: Sequence[int], *, value: float = 0.0
) -> tuple[Value, tuple[int, ...]]:
    """The operand with borders that a layer cannot make itself, and the symmetric padding that it can."""
    axes = len(kernel)
    ones = (1,) * axes
    mode = op.attribute("auto_pad", "NOTSET")
    strides, dilations = op.attribute("strides", ones), op.attribute("dilations", ones)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        same = SamePad(kernel, strides, dilations, upper=mode == "SAME_UPPER", value=value)
        return op.build.module(f"{op.name}_pad", same, x), (0,) * axes
    pads = (0,) * 2 * axes if mode == "VALID" else tuple(op.attribute("pads", (0,) * 2 * axes))
    begin, end = pads[:axes], pads[axes:]
    if begin == end and min(begin, default=0) >= 0:
        return x, begin
    amounts = [n for pair in reversed(tuple(zip(begin, end, strict=True))) for n in pair]
    return op.build.call(functional.pad, x, amounts, value=value), (0,) * axes
