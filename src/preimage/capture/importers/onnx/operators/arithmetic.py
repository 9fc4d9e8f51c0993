"""Elementwise functions of several operands, on tensors and on shapes."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from preimage.capture.importers.builder import Value
from preimage.capture.importers.onnx import sizes
from preimage.capture.importers.onnx.operation import Operation, is_shape, operator

BINARY = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "And",
    "Or",
    "Xor",
)
VARIADIC = ("Min", "Max", "Sum")


@operator(*BINARY)
def binary(op: Operation) -> Value:
    """With NumPy's broadcasting."""
    other = op.input(1)
    if op.attribute("broadcast") and op.attribute("axis") is not None:
        other = _aligned(op, other)
    return combine(op, op.input(0), other)


def _aligned(op: Operation, other: Value) -> Value:
    """Before operator set 7 the second operand could be laid along inner axes of the first."""
    axis, rank, own = op.attribute("axis"), op.known_rank(0), op.known_rank(1)
    return op.build.call(sizes.unsqueeze, other, tuple(range(own, rank - axis % rank)))


@operator(*VARIADIC)
def variadic(op: Operation) -> Value:
    """Any number of operands."""
    values = [op.input(i) for i in range(len(op.inputs))]
    return functools.reduce(lambda a, b: combine(op, a, b), values)


@operator("Mean")
def mean(op: Operation) -> Value:
    """Of any number of operands."""
    values = [op.input(i) for i in range(len(op.inputs))]
    total = functools.reduce(lambda a, b: op.build.call(torch.add, a, b), values)
    return op.build.call(torch.div, total, len(values))


@operator("Mod")
def mod(op: Operation) -> Value:
    """With the sign of the divisor, or of the dividend with ``fmod``."""
    if op.attribute("fmod", 0):
        return op.build.call(torch.fmod, op.input(0), op.input(1))
    return combine(op, op.input(0), op.input(1))


@operator("Where")
def where(op: Operation) -> Value:
    """One value or the other."""
    values = [op.input(i) for i in range(3)]
    if all(is_shape(value) for value in values):
        return op.build.call(sizes.apply, "Where", *values)
    return op.build.call(sizes.where, *values)


def combine(op: Operation, a: Value, b: Value) -> Value:
    """The operator on two operands; between shapes entry by entry."""
    a, b = _number(a), _number(b)
    if all(is_shape(v) or isinstance(v, float) for v in (a, b)):
        return op.build.call(sizes.apply, op.kind, a, b)
    if is_shape(a) or is_shape(b):
        return op.build.call(sizes.mixed, op.kind, a, b)
    return op.build.call(sizes.OPERATORS[op.kind], a, b)


def _number(value: Value) -> Value:
    """A constant of one number as that number."""
    if isinstance(value, Tensor) and value.numel() == 1 and value.dim() < 2 and value.is_floating_point():
        return value.item()
    return value
