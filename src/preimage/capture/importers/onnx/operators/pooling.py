"""Pools."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.onnx.operation import Operation, operator
from preimage.capture.importers.onnx.operators.padding import padded

MAXIMUM: tuple[type[nn.Module], ...] = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVERAGE: tuple[type[nn.Module], ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
GLOBAL: tuple[type[nn.Module], ...] = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
FUNCTIONS = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


@operator("MaxPool")
def max_pool(op: Operation) -> Value:
    """The largest value of each window."""
    if op.outputs > 1:
        return op.refuse("its indices are used")
    kernel = _kernel(op)
    x, padding = padded(op, op.input(0), kernel, value=-math.inf)
    x, padding = _wide(op, x, padding, kernel, -math.inf)
    cls: Any = MAXIMUM[len(kernel) - 1]
    layer = cls(
        kernel,
        stride=tuple(op.attribute("strides", (1,) * len(kernel))),
        padding=padding,
        dilation=tuple(op.attribute("dilations", (1,) * len(kernel))),
        ceil_mode=bool(op.attribute("ceil_mode", 0)),
    )
    return op.build.module(op.name, layer, x)


@operator("AveragePool")
def average_pool(op: Operation) -> Value:
    """The mean of each window, with or without its borders."""
    kernel = _kernel(op)
    stride = tuple(op.attribute("strides", (1,) * len(kernel)))
    if any(d != 1 for d in op.attribute("dilations", ())):
        return op.refuse("a dilated average")
    ceil, counted = bool(op.attribute("ceil_mode", 0)), bool(op.attribute("count_include_pad", 0))
    x, padding = _wide(op, *padded(op, op.input(0), kernel), kernel, 0.0)
    if x is not op.input(0) and not counted:
        ones = op.build.call(torch.ones_like, op.input(0))
        share, _ = _wide(op, *padded(op, ones, kernel), kernel, 0.0)
        pool = FUNCTIONS[len(kernel) - 1]
        parts = [op.build.call(pool, v, kernel, stride, 0, ceil) for v in (x, share)]
        return op.build.call(torch.div, *parts)
    cls: Any = AVERAGE[len(kernel) - 1]
    layer = cls(kernel, stride, padding, ceil_mode=ceil, count_include_pad=counted)
    return op.build.module(op.name, layer, x)


@operator("GlobalAveragePool")
def global_average(op: Operation) -> Value:
    """The mean of each channel."""
    rank = op.rank(0)
    if rank in (3, 4, 5):
        cls: Any = GLOBAL[rank - 3]
        return op.build.module(op.name, cls(1), op.input(0))
    return op.build.call(_spatial_mean, op.input(0))


@operator("GlobalMaxPool")
def global_maximum(op: Operation) -> Value:
    """The largest value of each channel."""
    return op.build.call(_spatial_maximum, op.input(0))


def _spatial_mean(x: Tensor) -> Tensor:
    """``(N, C, 1, ...)``."""
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


def _spatial_maximum(x: Tensor) -> Tensor:
    """``(N, C, 1, ...)``."""
    return x.amax(tuple(range(2, x.dim())), keepdim=True)


def _wide(
    op: Operation, x: Value, padding: tuple[int, ...], kernel: tuple[int, ...], value: float
) -> tuple[Value, tuple[int, ...]]:
    """Borders wider than half a window are made beforehand; PyTorch's pools refuse them."""
    if all(2 * p <= k for p, k in zip(padding, kernel, strict=True)):
        return x, padding
    amounts = [p for p in reversed(padding) for _ in range(2)]
    return op.build.call(functional.pad, x, amounts, value=value), (0,) * len(kernel)


def _kernel(op: Operation) -> tuple[int, ...]:
    kernel = tuple(op.attribute("kernel_shape", ()))
    if len(kernel) not in (1, 2, 3):
        op.refuse(f"a window of {len(kernel)} axes; 1 to 3 were wanted")
    return kernel
