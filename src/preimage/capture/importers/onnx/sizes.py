"""Operations that ONNX uses both on tensors and on shapes: shapes stay tuples of Python numbers.

A shape that is computed from the batch size so stays symbolic while PyTorch traces the network.
"""

from __future__ import annotations

import math
import operator as python
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Numbers = int | float | torch.SymInt | torch.SymFloat | tuple[Any, ...]
Value = Tensor | Numbers
Bounds = int | tuple[int, ...]


def shape(x: Value, start: int = 0, end: int | None = None) -> tuple[int, ...]:
    """Sizes of the axes from ``start`` to ``end``."""
    whole = tuple(x.shape) if isinstance(x, Tensor) else (len(x),) if isinstance(x, tuple) else ()
    return whole[start:end]


def as_tensor(x: Value, like: Tensor | None = None) -> Tensor:
    """Numbers as a tensor on the device of another one."""
    if isinstance(x, Tensor):
        return x
    return torch.tensor(x, device=None if like is None else like.device)


def apply(kind: str, *values: Numbers) -> Numbers:
    """The ONNX operator of a name on numbers, entry by entry where some are tuples."""
    function = OPERATORS[kind]
    length = max((len(v) for v in values if isinstance(v, tuple)), default=None)
    if length is None:
        return function(*values)
    columns = [v * (length // len(v)) if isinstance(v, tuple) else (v,) * length for v in values]
    return tuple(function(*row) for row in zip(*columns, strict=True))


def mixed(kind: str, a: Value, b: Value) -> Any:
    """The operator between a tensor and a shape or a number of one."""
    like = a if isinstance(a, Tensor) else b if isinstance(b, Tensor) else None
    return OPERATORS[kind](*(_beside(value, like) for value in (a, b)))


def _beside(value: Value, like: Tensor | None) -> Any:
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else as_tensor(value, like)
    return value


def divide(a: Any, b: Any) -> Any:
    """Division; between whole numbers rounded towards zero, as ONNX has it."""
    if not is_whole(a) or not is_whole(b):
        return a / b
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.div(as_tensor(a), as_tensor(b), rounding_mode="trunc")
    return a // b if not isinstance(a, int) or a * b >= 0 else -(-a // b)


def is_whole(value: Any) -> bool:
    """Whether a value holds whole numbers."""
    if isinstance(value, Tensor):
        return not value.is_floating_point()
    return not isinstance(value, (float, torch.SymFloat))


def lower(a: Any, b: Any) -> Any:
    """The smaller value."""
    return torch.minimum(*_both(a, b)) if _has_tensor(a, b) else torch.sym_min(a, b)


def upper(a: Any, b: Any) -> Any:
    """The larger value."""
    return torch.maximum(*_both(a, b)) if _has_tensor(a, b) else torch.sym_max(a, b)


def where(condition: Value, a: Value, b: Value) -> Tensor:
    """One value or the other."""
    like = next(v for v in (condition, a, b) if isinstance(v, Tensor))
    return torch.where(as_tensor(condition, like).bool(), as_tensor(a, like), as_tensor(b, like))


def _has_tensor(*values: Any) -> bool:
    return any(isinstance(value, Tensor) for value in values)


def _both(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Two operands as tensors of one kind."""
    like = a if isinstance(a, Tensor) else b
    return as_tensor(a, like).to(like), as_tensor(b, like).to(like)


def gather(x: Value, indices: Any, axis: int) -> Any:
    """Entries of an axis by number, negative ones from the end."""
    if isinstance(x, tuple):
        return x[indices] if isinstance(indices, int) else tuple(x[i] for i in indices)
    data = as_tensor(x)
    if isinstance(indices, int):
        return data.select(axis, indices)
    where = as_tensor(indices, data)
    axis = axis % data.dim()
    return data[(slice(None),) * axis + (where,)]


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
    x: Value, starts: Bounds, ends: Bounds, axes: Sequence[int] | None, steps: Sequence[int] | None
) -> Value:
    """Python's slices along some axes, the first ones by default; negative steps run backwards."""
    starts, ends = (v if isinstance(v, tuple) else (v,) for v in (starts, ends))
    axes, steps = axes or range(len(starts)), steps or (1,) * len(starts)
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
    if not isinstance(x, (Tensor, tuple)) and len(axes) == 1:
        return (x,)
    x = as_tensor(x)
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


def expand(x: Value, sizes: tuple[Any, ...] | Tensor) -> Tensor:
    """Repeated along axes of length one, by NumPy's rules."""
    x = as_tensor(x)
    sizes = tuple(sizes.tolist()) if isinstance(sizes, Tensor) else sizes
    rank = max(x.dim(), len(sizes))
    own = (1,) * (rank - x.dim()) + tuple(x.shape)
    wanted = (1,) * (rank - len(sizes)) + tuple(sizes)
    return x.expand([a if isinstance(b, int) and b == 1 else b for a, b in zip(own, wanted, strict=True)])


def cast(x: Value, dtype: torch.dtype) -> Value:
    """Another number type."""
    if isinstance(x, Tensor):
        return x.to(dtype)
    number: Callable[[Any], Any] = torch.sym_float if dtype.is_floating_point else torch.sym_int
    return tuple(number(v) for v in x) if isinstance(x, tuple) else number(x)


def product(x: Value) -> Any:
    """The product of a shape's sizes."""
    total: Any = 1
    for size in x if isinstance(x, tuple) else (x,):
        total = total * size
    return total


def inverse(a: Any) -> Any:
    """One over a number."""
    return 1 / a


def choose(condition: Any, a: Any, b: Any) -> Any:
    """One number or the other."""
    return a if condition else b


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Add": python.add,
    "Sub": python.sub,
    "Mul": python.mul,
    "Div": divide,
    "Pow": python.pow,
    "Mod": python.mod,
    "Equal": python.eq,
    "Greater": python.gt,
    "GreaterOrEqual": python.ge,
    "Less": python.lt,
    "LessOrEqual": python.le,
    "And": python.and_,
    "Or": python.or_,
    "Xor": python.xor,
    "Min": lower,
    "Max": upper,
    "Sum": python.add,
    "Where": choose,
    "Neg": python.neg,
    "Not": python.not_,
    "Abs": abs,
    "Sqrt": torch.sym_sqrt,
    "Reciprocal": inverse,
    "Floor": math.floor,
    "Ceil": math.ceil,
}
"""Elementwise operators that ONNX uses on shapes as well; most serve tensors as they are."""
