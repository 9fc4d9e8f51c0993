"""One tensor or several, as networks take and return them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

Values = Tensor | tuple[Tensor, ...]
"""One tensor ``(N, *event)``, or a tuple if and only if there are two or more."""


def flat(values: Iterable[Tensor]) -> Tensor:
    """One tensor as it is; several side by side, ``(N, all numbers)``."""
    tensors = tuple(values)
    return tensors[0] if len(tensors) == 1 else torch.cat([column(value).flatten(1) for value in tensors], 1)


def bare(values: tuple[Tensor, ...]) -> Values:
    """A tuple if and only if there are two or more tensors."""
    return values if len(values) != 1 else next(iter(values))


def several(values: Values) -> tuple[Tensor, ...]:
    """A tuple in any case."""
    return values if isinstance(values, tuple) else (values,)


def column(rows: Tensor) -> Tensor:
    """One number a sample, ``(N,)``, as ``(N, 1)``, which is how solvers see it; anything else as it is."""
    return rows[:, None] if rows.dim() == 1 else rows
