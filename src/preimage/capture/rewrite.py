"""Exported operations in the form that the rest of the library knows them by."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import SymInt, Tensor, fx

from preimage.capture.layout import symbolic_size

Rewritten = tuple[str, Callable[..., Any], tuple[Any, ...]]
"""Operation, what computes it, and its operands: nodes, literals, and symbolic sizes."""

SHAPED_LIKE = {
    "expand_as": ("expand", torch.ops.aten.expand.default),
    "view_as": ("view", torch.ops.aten.view.default),
    "reshape_as": ("reshape", torch.ops.aten.reshape.default),
}
"""Operations that read no more than the shape of their second operand."""

FILLED_LIKE = {
    "zeros_like": 0.0, "ones_like": 1.0, "full_like": None, "empty_like": 0.0,
    "new_zeros": 0.0, "new_ones": 1.0, "new_full": None, "new_empty": 0.0,
}  # fmt: skip
"""Operations that make constants of the shape or type of a value, and read none of its numbers."""


def _largest_of(pool: Callable[..., Any]) -> Callable[..., Tensor]:
    """The numbers of a pooling that also tells their places."""

    def largest(*args: Any, **kwargs: Any) -> Tensor:
        return pool(*args, **kwargs)[0]

    return largest


PLACED_POOLS = {
    **{f"max_pool{d}d_with_indices": f"max_pool{d}d" for d in (1, 2, 3)},
    **{f"adaptive_max_pool{d}d": f"adaptive_max_pool{d}d" for d in (1, 2, 3)},
}
"""Poolings that are exported with the places of their numbers, and their names where nobody reads these."""


EXTREMA = {"max": ("amax", torch.ops.aten.amax.default), "min": ("amin", torch.ops.aten.amin.default)}
"""Largest and smallest numbers along an axis, which are exported with their places too."""


def known_as(operation: str) -> str:
    """The name of an operation that is not rewritten: adaptive pooling says that it tells places too."""
    return f"{operation}_with_indices" if operation.startswith("adaptive_max_pool") else operation


DROPPED = frozenset(
    {"_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size", "_assert_async"}
)
"""Checks without a result."""


def rewritten(operation: str, node: fx.Node) -> Rewritten | None:
    """An equal operation that reads values only where it needs their numbers; None for most.

    Args:
        operation: base name of the ATen operation.
        node: the exported call.
    """
    value = node.meta.get("val")
    if operation in SHAPED_LIKE:
        name, target = SHAPED_LIKE[operation]
        return name, target, (node.args[0], list(node.meta["val"].shape))
    if operation == "type_as" and isinstance(value, Tensor):
        return "to", torch.ops.aten.to.dtype, (node.args[0], value.dtype)
    if operation in FILLED_LIKE and isinstance(value, Tensor):
        return "full", _filled(value, _fill(operation, node)), (SAMPLES,)
    if operation in PLACED_POOLS and _reads_first_alone(node):
        return PLACED_POOLS[operation], _largest_of(cast(Any, node.target)), tuple(node.args)
    if operation in EXTREMA and _reads_first_alone(node):  # of the form with an axis: others give one tensor
        x, dim, *keep = node.args
        return EXTREMA[operation][0], EXTREMA[operation][1], (x, [dim], *keep)
    if operation == "_native_batch_norm_legit_no_training":
        x, weight, bias, mean, variance, momentum, eps = node.args
        operands = (x, weight, bias, mean, variance, False, momentum, eps, False)
        return "batch_norm", torch.ops.aten.batch_norm.default, operands
    return None


def _reads_first_alone(node: fx.Node) -> bool:
    """Whether of an operation with several results only the first is read."""
    value = node.meta.get("val")
    if not isinstance(value, tuple | list) or not isinstance(value[0], Tensor):
        return False
    taken = [user for user in node.users if user.users]
    return all(user.target is operator.getitem and user.args[1] == 0 for user in taken) and not node.kwargs


class Samples:
    """Stands for the number of samples among the operands of a rewritten operation."""


SAMPLES = Samples()


def _fill(operation: str, node: fx.Node) -> float:
    value = FILLED_LIKE[operation]
    given = node.args[-1] if value is None else value
    return float(given) if isinstance(given, int | float | bool) else 0.0


def _filled(value: Tensor, number: float) -> Callable[[int], Tensor]:
    sizes, dtype, device = tuple(value.shape), value.dtype, value.device

    def fill(samples: int) -> Tensor:
        return torch.full(sizes_for(sizes, samples), number, dtype=dtype, device=device)

    return fill


def sizes_for(sizes: Sequence[int | SymInt], samples: int) -> list[int]:
    """A shape that depends on the batch, for a number of samples."""
    return [symbolic_size(size, samples) if isinstance(size, SymInt) else int(size) for size in sizes]
