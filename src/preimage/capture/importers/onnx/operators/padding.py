"""How much convolutions and pools pad."""

from __future__ import annotations

from collections.abc import Sequence

from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.onnx.operation import Operation
from preimage.capture.importers.same_pad import SamePad


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
