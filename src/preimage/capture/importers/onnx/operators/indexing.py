"""Taking parts of tensors and shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from preimage.capture.importers.builder import Value, depends
from preimage.capture.importers.onnx import sizes
from preimage.capture.importers.onnx.limits import check_elements
from preimage.capture.importers.onnx.operation import Operation, is_shape, operator


@operator("Gather")
def gather(op: Operation) -> Value:
    """Entries of an axis by number; rows of a table by input."""
    return op.build.call(sizes.gather, op.input(0), op.input(1), op.attribute("axis", 0))


@operator("GatherElements")
def gather_elements(op: Operation) -> Value:
    """One entry for each place."""
    return op.build.call(torch.take_along_dim, op.input(0), op.input(1), op.attribute("axis", 0))


@operator("Slice")
def cut(op: Operation) -> Value:
    """Python's slices; axes and steps may be left out."""
    starts, ends = (_bounds(op, name, i) for i, name in ((1, "starts"), (2, "ends")))
    axes, steps = op.integers("axes", 3), op.integers("steps", 4)
    if not is_shape(op.input(0)) and _cuts_batch(op, starts, ends, axes, steps):
        return op.refuse("it takes some samples of the batch")
    return op.build.call(sizes.cut, op.input(0), starts, ends, axes, steps)


def _bounds(op: Operation, name: str, index: int) -> Value:
    """Where a slice starts or ends: constants, or numbers computed from the batch size."""
    value = op.input(index)
    if is_shape(value) and isinstance(value, fx.Node):
        return value
    found = op.integers(name, index)
    return op.refuse("it lacks its ends") if found is None else found


def _cuts_batch(op: Operation, starts: Value, ends: Value, axes: Any, steps: Any) -> bool:
    """Whether some samples of a batch are left out by a slice of the first axis."""
    shape = op.shape(0) or (None,)
    size = shape[0]
    if size is None or size != op.batch or size < 2 or isinstance(op.input(0), Tensor):
        return False
    if depends((starts, ends)):
        return False
    whole = zip(starts, ends, axes or range(len(starts)), steps or (1,) * len(starts), strict=True)
    return any((start, min(end, size), step) != (0, size, 1) for start, end, axis, step in whole if axis == 0)


@operator("Range")
def count(op: Operation) -> Value:
    """From a number, below another, in steps."""
    bounds = [_scalar(op.input(i)) for i in range(3)]
    if depends(bounds):
        return op.build.call(torch.arange, *bounds)
    start, limit, delta = bounds
    length = max(0, -(-(limit - start) // delta)) if delta else 0
    check_elements(op, (int(length),))
    return torch.arange(start, limit, delta)


def _scalar(value: Value) -> Value:
    return value.item() if isinstance(value, Tensor) else value


@operator("Trilu")
def triangle(op: Operation) -> Value:
    """One half of matrices."""
    function = torch.triu if op.attribute("upper", 1) else torch.tril
    return op.build.call(function, op.input(0), op.constant(1, 0, "diagonal"))


@operator("CumSum")
def cumulative(op: Operation) -> Value:
    """Running sums."""
    if op.attribute("exclusive", 0) or op.attribute("reverse", 0):
        return op.refuse("an exclusive or reversed running sum")
    return op.build.call(torch.cumsum, op.input(0), op.constant(1, what="axis"))


@operator("OneHot")
def one_hot(op: Operation) -> Value:
    """Not differentiable, and its input is no floating point number."""
    return op.refuse("its input is a whole number, which has no neighbours to search among")
