"""Operations that ONNX uses both on tensors and on shapes: shapes stay tuples of Python numbers.

A shape that is computed from the batch size so stays symbolic while PyTorch traces the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Numbers = int | float | tuple[Any, ...]
Value = Tensor | Numbers


def shape(x: Tensor, start: int = 0, end: int | None = None) -> tuple[int, ...]:
    """Sizes of the axes from ``start`` to ``end``."""
    return tuple(x.shape)[start:end]


def as_tensor(x: Value, like: Tensor | None = None) -> Tensor:
    """Numbers as a tensor on the device of another one."""
    if isinstance(x, Tensor):
        return x
    return torch.tensor(x, device=None if like is None else like.device)


def apply(function: Callable[..., Any], number: Callable[..., Any], *values: Value) -> Value:
    """An elementwise function of tensors, or of numbers and tuples of them with broadcasting."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if tensors:
        like = tensors[0]
        return function(*(as_tensor(v, like) if isinstance(v, tuple) else v for v in values))
    length = max((len(v) for v in values if isinstance(v, tuple)), default=None)
    if length is None:
        return number(*values)
    columns = [v * (length // len(v)) if isinstance(v, tuple) else (v,) * length for v in values]
    return tuple(number(*row) for row in zip(*columns, strict=True))


def divide(a: Any, b: Any) -> Any:
    """Division; between whole numbers rounded towards zero, as ONNX has it."""
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return a // b if not isinstance(a, int) or a * b >= 0 else -(-a // b)


def divide_tensors(a: Any, b: Any) -> Tensor:
    """The same for tensors."""
    whole = not any(t.is_floating_point() for t in (a, b) if isinstance(t, Tensor))
    whole = whole and not any(isinstance(v, float) for v in (a, b))
    return torch.div(a, b, rounding_mode="trunc") if whole else torch.div(a, b)


def gather(x: Value, indices: Any, axis: int) -> Any:
    """Entries of an axis by number, negative ones from the end."""
    if isinstance(x, tuple):
        return x[indices] if isinstance(indices, int) else tuple(x[i] for i in indices)
    assert_tensor = as_tensor(x)
    if isinstance(indices, int):
        return assert_tensor.select(axis, indices)
    where = as_tensor(indices, assert_tensor)
    axis = axis % assert_tensor.dim()
    return assert_tensor[(slice(None),) * axis + (where,)]


def concat(values: Sequence[Value], axis: int) -> Value:
    """Side by side along an axis; shapes are joined to a longer shape."""
    if not any(isinstance(value, Tensor) for value in values):
        return tuple(item for value in values for item in (value if isinstance(value, tuple) else (value,)))
    like = next(value for value in values if isinstance(value, Tensor))
    return torch.cat([as_tensor(value, like) for value in values], axis)


def expand_batch(constant: Tensor, like: Tensor) -> Tensor:
    """A constant ``(1, ...)``, once for each sample."""
    return constant.expand(like.shape[0], *constant.shape[1:])


def cut(
    x: Value, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> Value:
    """Python's slices along some axes; negative steps run backwards."""
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        x = (
            x[_slice(start, end, step)]
            if isinstance(x, tuple)
            else _cut(as_tensor(x), start, end, axis, step)
        )
    return x


def _slice(start: int, end: int, step: int) -> slice:
    return slice(start, None if step < 0 and end < -(2**31) else end, step)


def _cut(x: Tensor, start: int, end: int, axis: int, step: int) -> Tensor:
    if step > 0:
        return x[(slice(None),) * (axis % x.dim()) + (slice(start, end if end < 2**31 else None, step),)]
    taken = range(x.shape[axis])[_slice(start, end, step)]
    return x.index_select(axis, torch.tensor(list(taken), dtype=torch.long, device=x.device))


def unsqueeze(x: Value, axes: Sequence[int]) -> Value:
    """New axes of length one; a single number becomes a shape of one axis."""
    if not isinstance(x, Tensor):
        return x if isinstance(x, tuple) else (x,)
    rank = x.dim() + len(axes)
    for axis in sorted(a % rank for a in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Value, axes: Sequence[int] | None) -> Any:
    """Axes of length one removed; a shape of one axis becomes its number."""
    if not isinstance(x, Tensor):
        return x[0] if isinstance(x, tuple) else x
    chosen = axes if axes is not None else [i for i, n in enumerate(x.shape) if i and n == 1]
    return x.squeeze(tuple(a % x.dim() for a in chosen))


def reshape(x: Value, sizes: Any, keep_zeros: bool = False) -> Value:
    """Other sizes for the same numbers; 0 takes the size from the operand, -1 is found by division."""
    sizes = tuple(int(s) for s in sizes.tolist()) if isinstance(sizes, Tensor) else sizes
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    if not isinstance(x, Tensor):
        numbers = x if isinstance(x, tuple) else (x,)
        return numbers if len(sizes) else numbers[0]
    zeros_mean_zero = keep_zeros
    taken = [
        x.shape[i] if isinstance(s, int) and s == 0 and not zeros_mean_zero else s
        for i, s in enumerate(sizes)
    ]
    return x.reshape(taken)


def expand(x: Value, sizes: tuple[Any, ...]) -> Tensor:
    """Repeated along axes of length one, by NumPy's rules."""
    x = as_tensor(x)
    rank = max(x.dim(), len(sizes))
    own = (1,) * (rank - x.dim()) + tuple(x.shape)
    wanted = (1,) * (rank - len(sizes)) + tuple(sizes)
    return x.expand([a if isinstance(b, int) and b == 1 else b for a, b in zip(own, wanted, strict=True)])


def cast(x: Value, dtype: torch.dtype) -> Value:
    """Another number type."""
    if isinstance(x, Tensor):
        return x.to(dtype)
    number = (lambda v: float(v)) if dtype.is_floating_point else (lambda v: math.trunc(v))
    return tuple(number(v) for v in x) if isinstance(x, tuple) else number(x)


def product(x: Value) -> Any:
    """The product of a shape's sizes."""
    total: Any = 1
    for size in x if isinstance(x, tuple) else (x,):
        total = total * size
    return total
