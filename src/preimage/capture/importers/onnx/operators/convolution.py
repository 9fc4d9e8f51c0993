"""Convolutions and transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.layers import filled
from preimage.capture.importers.onnx.operation import Operation, operator
from preimage.capture.importers.onnx.operators.padding import padded

CONVOLUTIONS: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: tuple[type[nn.Module], ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FUNCTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)


@operator("Conv")
def convolution(op: Operation) -> Value:
    """Weights ``(out, in / groups, *kernel)``, as in PyTorch."""
    weight, bias, kernel = _weights(op)
    x, padding = padded(op, op.input(0), kernel)
    settings = _settings(op, len(kernel)) | {"padding": padding}
    if not isinstance(weight, Tensor):
        return op.build.call(FUNCTIONS[len(kernel) - 1], x, weight, bias, **settings)
    inputs, outputs = weight.shape[1] * settings["groups"], weight.shape[0]
    cls: Any = CONVOLUTIONS[len(kernel) - 1]
    layer = cls(inputs, outputs, kernel, bias=bias is not None, device="meta", **settings)
    return op.build.module(op.name, filled(layer, weight=weight, bias=bias), x)


@operator("ConvTranspose")
def transposed(op: Operation) -> Value:
    """Weights ``(in, out / groups, *kernel)``, as in PyTorch; uneven borders are cut off afterwards."""
    weight, bias, kernel = _weights(op)
    if not isinstance(weight, Tensor):
        return op.refuse("its weights depend on the network's input")
    axes = len(kernel)
    settings = _settings(op, axes)
    begin, end, extra = _borders(op, kernel, settings)
    even = begin == end and min(begin, default=0) >= 0
    cls: Any = TRANSPOSED[axes - 1]
    layer = cls(
        weight.shape[0],
        weight.shape[1] * settings["groups"],
        kernel,
        padding=begin if even else (0,) * axes,
        output_padding=extra,
        bias=bias is not None,
        device="meta",
        **settings,
    )
    y = op.build.module(op.name, filled(layer, weight=weight, bias=bias), op.input(0))
    if even:
        return y
    amounts = [-n for pair in reversed(tuple(zip(begin, end, strict=True))) for n in pair]
    return op.build.call(functional.pad, y, amounts)


def _weights(op: Operation) -> tuple[Value, Value, tuple[int, ...]]:
    weight, bias = op.input(1), op.input(2)
    shape = op.shape(1)
    found = op.attribute("kernel_shape") or (shape[2:] if shape else ())
    kernel = tuple(n for n in found if n is not None)
    if len(kernel) not in (1, 2, 3):
        op.refuse(f"a kernel of {len(kernel)} axes; 1 to 3 were wanted")
    return weight, bias, kernel


def _settings(op: Operation, axes: int) -> dict[str, Any]:
    ones = (1,) * axes
    return {
        "stride": tuple(op.attribute("strides", ones)),
        "dilation": tuple(op.attribute("dilations", ones)),
        "groups": op.attribute("group", 1),
    }


def _borders(
    op: Operation, kernel: Sequence[int], settings: dict[str, Any]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """What is cut off at the start and end of each axis, and what is added at the end."""
    axes = len(kernel)
    extra = tuple(op.attribute("output_padding", (0,) * axes))
    if op.attribute("output_shape"):
        return *_to_shape(op, kernel, settings, extra), extra
    mode = op.attribute("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        full = [(k - 1) * d + 1 - s + e for k, d, s, e in _windows(kernel, settings, extra)]
        return *_shared(full, upper=mode == "SAME_UPPER"), extra
    pads = (0,) * 2 * axes if mode == "VALID" else tuple(op.attribute("pads", (0,) * 2 * axes))
    return pads[:axes], pads[axes:], extra


def _to_shape(
    op: Operation, kernel: Sequence[int], settings: dict[str, Any], extra: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sizes, wanted = (op.shape(0) or ())[2:], op.attribute("output_shape")[-len(kernel) :]
    if len(sizes) != len(kernel) or None in sizes:
        op.refuse("output_shape with an operand of unknown size")
    full = [
        (n or 0) * s - s + e + (k - 1) * d + 1 - w
        for n, w, (k, d, s, e) in zip(sizes, wanted, _windows(kernel, settings, extra), strict=True)
    ]
    return _shared(full, upper=op.attribute("auto_pad", "NOTSET") == "SAME_UPPER")


def _windows(
    kernel: Sequence[int], settings: dict[str, Any], extra: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    return list(zip(kernel, settings["dilation"], settings["stride"], extra, strict=True))


def _shared(full: Sequence[int], *, upper: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Total borders shared between start and end; the odd one goes to the end with ``upper``."""
    small = tuple(n // 2 for n in full)
    large = tuple(n - n // 2 for n in full)
    return (small, large) if upper else (large, small)
