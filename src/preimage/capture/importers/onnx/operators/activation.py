"""Elementwise functions of one operand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.layers import filled
from preimage.capture.importers.onnx import sizes
from preimage.capture.importers.onnx.operation import Operation, Shape, is_shape, operator

MODULES: Mapping[str, Callable[[Operation], nn.Module]] = {
    "Relu": lambda op: nn.ReLU(),
    "Sigmoid": lambda op: nn.Sigmoid(),
    "Tanh": lambda op: nn.Tanh(),
    "LeakyRelu": lambda op: nn.LeakyReLU(op.attribute("alpha", 0.01)),
    "Elu": lambda op: nn.ELU(op.attribute("alpha", 1.0)),
    "Celu": lambda op: nn.CELU(op.attribute("alpha", 1.0)),
    "Softplus": lambda op: nn.Softplus(),
    "Softsign": lambda op: nn.Softsign(),
    "Mish": lambda op: nn.Mish(),
    "HardSwish": lambda op: nn.Hardswish(),
    "ThresholdedRelu": lambda op: nn.Threshold(op.attribute("alpha", 1.0), 0.0),
}
FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "Exp": torch.exp,
    "Log": torch.log,
    "Sqrt": torch.sqrt,
    "Abs": torch.abs,
    "Reciprocal": torch.reciprocal,
    "Erf": torch.erf,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tan": torch.tan,
    "Asin": torch.asin,
    "Acos": torch.acos,
    "Atan": torch.atan,
    "Sinh": torch.sinh,
    "Cosh": torch.cosh,
    "Asinh": torch.asinh,
    "Acosh": torch.acosh,
    "Atanh": torch.atanh,
    "Sign": torch.sign,
    "Round": torch.round,
    "IsNaN": torch.isnan,
    "Not": torch.logical_not,
}
NUMBERS: Mapping[str, Callable[..., Tensor]] = {"Neg": torch.neg, "Floor": torch.floor, "Ceil": torch.ceil}


@operator(*MODULES)
def activation(op: Operation) -> Value:
    """Activations that PyTorch has as a module of the same meaning."""
    return op.build.module(op.name, MODULES[op.kind](op), op.input(0))


@operator(*FUNCTIONS)
def function(op: Operation) -> Value:
    """Plain functions."""
    x = op.input(0)
    if not is_shape(x):
        return op.build.call(FUNCTIONS[op.kind], x)
    if op.kind not in sizes.OPERATORS:
        return op.refuse("its operand is a shape")
    return op.build.call(sizes.apply, op.kind, x)


@operator("IsInf")
def is_infinite(op: Operation) -> Value:
    """On either side, or on one."""
    below, above = op.attribute("detect_negative", 1), op.attribute("detect_positive", 1)
    if below and above:
        return op.build.call(torch.isinf, op.input(0))
    return op.build.call(torch.isposinf if above else torch.isneginf, op.input(0))


@operator(*NUMBERS)
def number(op: Operation) -> Value:
    """Functions that are also used on shapes."""
    x = op.input(0)
    return op.build.call(sizes.apply, op.kind, x) if is_shape(x) else op.build.call(NUMBERS[op.kind], x)


@operator("Shrink")
def shrink(op: Operation) -> Value:
    """Zero near zero; what is further away moves towards it by the bias."""
    bound, bias = op.attribute("lambd", 0.5), op.attribute("bias", 0.0)
    if not bias:
        return op.build.module(op.name, nn.Hardshrink(bound), op.input(0))
    if bias == bound:
        return op.build.module(op.name, nn.Softshrink(bound), op.input(0))
    return op.refuse(f"a shrink by {bias} from {bound} on")


@operator("Gelu")
def gelu(op: Operation) -> Value:
    """``x Phi(x)``, or its approximation by tanh."""
    return op.build.module(op.name, nn.GELU(_text(op.attribute("approximate", "none"))), op.input(0))


@operator("Swish")
def swish(op: Operation) -> Value:
    """``x sigmoid(alpha x)``."""
    alpha, x = op.attribute("alpha", 1.0), op.input(0)
    if alpha == 1:
        return op.build.module(op.name, nn.SiLU(), x)
    return op.build.call(torch.mul, x, op.build.call(torch.sigmoid, op.build.call(torch.mul, x, alpha)))


@operator("Selu")
def selu(op: Operation) -> Value:
    """``gamma elu(x, alpha)``."""
    alpha, gamma = op.attribute("alpha", 1.6732632423543772), op.attribute("gamma", 1.0507009873554805)
    if math.isclose(alpha, 1.6732632423543772, rel_tol=1e-5) and math.isclose(
        gamma, 1.0507009873554805, rel_tol=1e-5
    ):
        return op.build.module(op.name, nn.SELU(), op.input(0))
    return op.build.call(torch.mul, op.build.module(op.name, nn.ELU(alpha), op.input(0)), gamma)


@operator("HardSigmoid")
def hard_sigmoid(op: Operation) -> Value:
    """``min(1, max(0, alpha x + beta))``."""
    alpha, beta = op.attribute("alpha", 0.2), op.attribute("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5:
        return op.build.module(op.name, nn.Hardsigmoid(), op.input(0))
    shifted = op.build.call(torch.add, op.build.call(torch.mul, op.input(0), alpha), beta)
    return op.build.module(op.name, nn.Hardtanh(0.0, 1.0), shifted)


@operator("PRelu")
def prelu(op: Operation) -> Value:
    """``x`` where positive, else ``slope x``; a module where there is one slope or one for each channel."""
    x, slope, shape = op.input(0), op.input(1), op.shape(0)
    per_channel = shape is not None and len(shape) > 1 and _is_per_channel(op, shape)
    if isinstance(slope, Tensor) and (slope.numel() == 1 or per_channel):
        layer = nn.PReLU(slope.numel(), device="meta")
        return op.build.module(op.name, filled(layer, weight=slope.flatten()), x)
    rising = op.build.call(torch.relu, x)
    falling = op.build.call(torch.mul, slope, op.build.call(functional.relu, op.build.call(torch.neg, x)))
    return op.build.call(torch.sub, rising, falling)


def _is_per_channel(op: Operation, shape: Shape) -> bool:
    """Whether a slope lies along axis 1 of its operand, once broadcasting has aligned the last axes."""
    slope = op.shape(1) or ()
    if op.opset < 9 and len(slope) == 1:  # aligned with the channels before broadcasting came
        return slope[0] == shape[1]
    aligned = (1,) * (len(shape) - len(slope)) + slope
    return aligned[1] == shape[1] and all(n == 1 for i, n in enumerate(aligned) if i != 1)


@operator("Clip")
def clip(op: Operation) -> Value:
    """Into an interval, whose ends older files give as attributes."""
    low, high = _end(op, "min", 1, -math.inf), _end(op, "max", 2, math.inf)
    x = op.input(0)
    if not isinstance(low, float) or not isinstance(high, float):
        return op.build.call(torch.clamp, x, low, high)
    if (low, high) == (0.0, 6.0):
        return op.build.module(op.name, nn.ReLU6(), x)
    if (low, high) == (0.0, math.inf):
        return op.build.module(op.name, nn.ReLU(), x)
    if math.isfinite(low) and math.isfinite(high) and low < high:
        return op.build.module(op.name, nn.Hardtanh(low, high), x)
    ends = (low if math.isfinite(low) else None, high if math.isfinite(high) else None)
    return x if ends == (None, None) else op.build.call(torch.clamp, x, *ends)


def _end(op: Operation, name: str, index: int, default: float) -> Any:
    value = op.attribute(name, op.input(index))
    if value is None:
        return default
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    limit = float(torch.finfo(torch.float32).max)
    if isinstance(value, (int, float)):
        return default if abs(value) >= limit else float(value)
    return value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@operator("Softmax", "LogSoftmax")
def softmax(op: Operation) -> Value:
    """Along an axis; before operator set 13 over all axes from there on together."""
    old = op.opset < 13
    axis = op.attribute("axis", 1 if old else -1)
    module = nn.Softmax if op.kind == "Softmax" else nn.LogSoftmax
    rank = op.rank(0)
    last = axis == -1 or (rank is not None and axis % rank == rank - 1)
    if not old or last:
        return op.build.module(op.name, module(-1 if last else axis), op.input(0))
    flat = op.build.call(torch.flatten, op.input(0), axis)
    shape = op.build.call(sizes.shape, op.input(0))
    return op.build.call(torch.reshape, op.build.module(op.name, module(axis), flat), shape)
