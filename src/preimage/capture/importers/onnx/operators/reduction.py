"""Sums, means and the like over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from preimage.capture.importers.builder import Value
from preimage.capture.importers.onnx import sizes
from preimage.capture.importers.onnx.operation import Operation, is_shape, operator

Axes = tuple[int, ...]


def _product(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    for axis in sorted((a % x.dim() for a in axes), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


def _log_sum(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    return x.sum(axes, keepdim=keepdim).log()


def _absolute(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    return x.abs().sum(axes, keepdim=keepdim)


def _norm(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    return x.square().sum(axes, keepdim=keepdim).sqrt()


def _squares(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    return x.square().sum(axes, keepdim=keepdim)


REDUCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "ReduceMean": torch.mean,
    "ReduceSum": torch.sum,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceProd": _product,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": torch.logsumexp,
    "ReduceL1": _absolute,
    "ReduceL2": _norm,
    "ReduceSumSquare": _squares,
}


@operator(*REDUCTIONS)
def reduction(op: Operation) -> Value:
    """Over the given axes, or all of them."""
    x, axes = op.input(0), op.integers("axes", 1)
    if is_shape(x):
        return op.build.call(sizes.product, x) if op.kind == "ReduceProd" else op.refuse("of a shape")
    if not axes:
        if op.attribute("noop_with_empty_axes", 0):
            return x
        axes = tuple(range(op.known_rank(0)))
    return op.build.call(REDUCTIONS[op.kind], x, axes, keepdim=bool(op.attribute("keepdims", 1)))


@operator("ArgMax", "ArgMin")
def position(op: Operation) -> Value:
    """Where the largest or smallest value stands."""
    if op.attribute("select_last_index", 0):
        return op.refuse("the last of equal values")
    function = torch.argmax if op.kind == "ArgMax" else torch.argmin
    axis, keep = op.attribute("axis", 0), bool(op.attribute("keepdims", 1))
    return op.build.call(function, op.input(0), axis, keepdim=keep)


NUMBER_TYPES: Mapping[int, torch.dtype] = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}
"""The numbers of ``onnx.TensorProto`` for kinds of numbers."""


@operator("Cast")
def cast(op: Operation) -> Value:
    """Another kind of number."""
    dtype = NUMBER_TYPES.get(op.attribute("to"))
    if dtype is None:
        return op.refuse(f"a cast to number type {op.attribute('to')}")
    return op.build.call(sizes.cast, op.input(0), dtype)


@operator("CastLike")
def cast_like(op: Operation) -> Value:
    """The kind of number of another operand."""
    return op.build.call(_like, op.input(0), op.input(1))


def _like(x: sizes.Value, other: sizes.Value) -> sizes.Value:
    if isinstance(x, Tensor) and isinstance(other, Tensor):
        return x.to(other.dtype)
    return sizes.as_tensor(x).to(other.dtype) if isinstance(other, Tensor) else x
