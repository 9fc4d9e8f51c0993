"""Moving numbers about, and arithmetic with shapes."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value, depends
from preimage.capture.importers.onnx import sizes
from preimage.capture.importers.onnx.limits import check_elements
from preimage.capture.importers.onnx.operation import Operation, is_shape, is_zero, mark_zero, operator

MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operator("Shape")
def shape(op: Operation) -> Value:
    """A shape stays Python numbers."""
    return op.build.call(sizes.shape, op.input(0), op.attribute("start", 0), op.attribute("end"))


@operator("Size")
def size(op: Operation) -> Value:
    """How many numbers there are."""
    return op.build.call(sizes.product, op.build.call(sizes.shape, op.input(0)))


@operator("Reshape")
def reshape(op: Operation) -> Value:
    """Other sizes; a batch size that the file fixes is set free."""
    x, wanted = op.input(0), op.input(1, op.attribute("shape"))
    if op.batch is not None and isinstance(wanted, tuple) and depends(x) and not is_shape(x):
        wanted = _freed(op, wanted)
    return op.build.call(sizes.reshape, x, wanted, bool(op.attribute("allowzero", 0)))


def _freed(op: Operation, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The first size takes whatever the batch brings; all others are written out."""
    known = op.shape(0) or (None,)
    if not wanted or wanted[0] == -1 or any(isinstance(size, fx.Node) for size in wanted):
        return wanted
    if -1 not in wanted:
        return (-1, *wanted[1:])
    if None in known or 0 in known:
        return (0, *wanted[1:]) if wanted[0] == op.batch else wanted
    filled = [known[i] if size == 0 else size for i, size in enumerate(wanted)]
    missing = prod(n or 1 for n in known) // prod(n or 1 for n in filled if n != -1)
    return (-1, *(missing if size == -1 else size for size in wanted[1:]))


@operator("Flatten")
def flatten(op: Operation) -> Value:
    """Two axes: all before, and all from an axis on."""
    axis = op.attribute("axis", 1)
    if axis == 1 and op.rank(0) != 1:
        return op.build.module(op.name, nn.Flatten(), op.input(0))
    rank = op.known_rank(0)
    axis = axis % rank if axis < rank else axis
    if axis in (0, rank):
        return op.build.call(torch.reshape, op.input(0), (1, -1) if axis == 0 else (-1, 1))
    flat = op.build.call(torch.flatten, op.input(0), axis)
    return op.build.call(torch.flatten, flat, 0, axis - 1)


@operator("Transpose")
def transpose(op: Operation) -> Value:
    """Axes in another order."""
    axes = op.attribute("perm") or tuple(reversed(range(op.known_rank(0))))
    return op.build.call(torch.permute, op.input(0), tuple(axes))


@operator("Squeeze")
def squeeze(op: Operation) -> Value:
    """Without axes of length one; where none are named, the batch axis stays."""
    return op.build.call(sizes.squeeze, op.input(0), op.integers("axes", 1))


@operator("Unsqueeze")
def unsqueeze(op: Operation) -> Value:
    """With new axes of length one."""
    return op.build.call(sizes.unsqueeze, op.input(0), op.integers("axes", 1))


@operator("Concat")
def concat(op: Operation) -> Value:
    """Side by side; a constant of one sample is repeated for each sample."""
    axis = op.attribute("axis", 1)
    values = [op.input(i) for i in range(len(op.inputs))]
    data = next((v for v in values if isinstance(v, fx.Node) and not is_shape(v)), None)
    if data is not None and axis != 0:
        values = [_repeated(op, v, data) for v in values]
    return op.build.call(sizes.concat, values, axis)


def _repeated(op: Operation, value: Value, data: fx.Node) -> Value:
    one = isinstance(value, Tensor) and value.dim() > 1 and value.shape[0] == 1
    return op.build.call(sizes.expand_batch, value, data) if one else value


@operator("Split")
def split(op: Operation) -> Value:
    """Into parts of given sizes, or equal ones."""
    axis, parts = op.attribute("axis", 0), op.integers("split", 1)
    x = op.input(0)
    if parts is None:
        found = op.build.call(_equal_parts, x, op.attribute("num_outputs", op.outputs), axis)
    else:
        found = op.build.call(torch.split, x, list(parts), axis)
    if not depends(found):
        return tuple(found)
    return tuple(op.build.call(_part, found, i) for i in range(op.outputs))


def _equal_parts(x: Tensor, count: int, axis: int) -> tuple[Tensor, ...]:
    return torch.split(x, -(-x.shape[axis] // count), axis)


def _part(parts: tuple[Any, ...], number: int) -> Any:
    return parts[number]


@operator("Expand")
def expand(op: Operation) -> Value:
    """Repeated along axes of length one."""
    wanted = op.input(1)
    check_elements(op, wanted)
    own = op.shape(0)
    if op.batch is not None and isinstance(wanted, tuple) and own and depends(op.input(0)):
        same_rank = len(own) == len(wanted) and wanted[0] == op.batch == own[0]
        wanted = (1, *wanted[1:]) if same_rank else wanted
    found = op.build.call(sizes.expand, op.input(0), wanted)
    return mark_zero(found) if is_zero(op.input(0)) else found


@operator("Tile")
def tile(op: Operation) -> Value:
    """Repeated side by side."""
    known = op.shape(0)
    repeats = op.integers("repeats", 1) or ()
    if known and None not in known:
        check_elements(op, tuple((a or 1) * b for a, b in zip(known, repeats, strict=True)))
    return op.build.call(torch.tile, op.input(0), repeats)


@operator("ConstantOfShape")
def constant_of_shape(op: Operation) -> Value:
    """One number everywhere."""
    wanted = op.input(0)
    check_elements(op, wanted)
    value = op.attribute("value")
    value = torch.zeros(1) if value is None else value
    if isinstance(wanted, Tensor):
        wanted = tuple(wanted.tolist())
    found = op.build.call(_full, wanted, value.item(), value.dtype)
    return mark_zero(found) if is_zero(value) else found


def _full(shape: tuple[int, ...], value: float, dtype: torch.dtype) -> Tensor:
    return torch.full(shape, value, dtype=dtype)


@operator("Pad")
def pad(op: Operation) -> Value:
    """Borders of a constant, or of what stands inside."""
    amounts = op.integers("pads", 1) or op.integers("paddings", 1) or ()
    mode = op.attribute("mode", "constant")
    rank = op.rank(0) or len(amounts) // 2
    axes = op.constant(3, None, "axes")
    chosen = range(rank) if axes is None else [a % rank for a in axes]
    pairs = {axis: (amounts[i], amounts[i + len(chosen)]) for i, axis in enumerate(chosen)}
    if pairs.get(0, (0, 0)) != (0, 0):
        return op.refuse("it pads the batch axis")
    ordered = [n for axis in reversed(range(1, rank)) for n in pairs.get(axis, (0, 0))]
    while len(ordered) > 2 and ordered[-2:] == [0, 0]:
        ordered = ordered[:-2]
    if mode != "constant":
        return op.build.call(functional.pad, op.input(0), ordered, MODES[mode])
    value = op.setting("value", 2, 0.0)
    value = value.item() if isinstance(value, Tensor) else float(value)
    return op.build.call(functional.pad, op.input(0), ordered, "constant", value)


@operator("DepthToSpace")
def depth_to_space(op: Operation) -> Value:
    """Channels laid out in space, in either order."""
    block = op.attribute("blocksize")
    if op.attribute("mode", "DCR") == "CRD":
        return op.build.module(op.name, nn.PixelShuffle(block), op.input(0))
    return op.build.call(_depth_first, op.input(0), block)


def _depth_first(x: Tensor, block: int) -> Tensor:
    n, c, h, w = x.shape
    y = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(n, c // block**2, h * block, w * block)


@operator("SpaceToDepth")
def space_to_depth(op: Operation) -> Value:
    """Blocks of pixels as channels, the place in the block varying slowest."""
    if op.attribute("mode", "DCR") == "CRD":
        return op.build.module(op.name, nn.PixelUnshuffle(op.attribute("blocksize")), op.input(0))
    return op.build.call(_blocks, op.input(0), op.attribute("blocksize"))


def _blocks(x: Tensor, block: int) -> Tensor:
    n, c, h, w = x.shape
    y = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return y.reshape(n, c * block**2, h // block, w // block)
