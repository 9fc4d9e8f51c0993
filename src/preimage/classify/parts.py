"""Many rows through a network in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from preimage.checks import as_tuple
from preimage.errors import ShapeError

ROWS = 1000  # of one pass


@torch.no_grad()
def in_parts(function: Callable[[Any], Tensor], x: Any, rows: int = ROWS) -> Tensor:
    """A function of rows, without gradients, part by part.

    Args:
        function: from ``(n, *event)`` to ``(n, ...)``.
        x: tensor ``(N, *event)`` or a tuple of such.
        rows: of one part.

    Returns:
        Tensor ``(N, ...)``.

    Example:
        >>> in_parts(torch.square, torch.arange(5), rows=2)
        tensor([ 0,  1,  4,  9, 16])
    """
    if not all(isinstance(tensor, Tensor) for tensor in as_tuple(x)):
        raise ShapeError(f"data are {type(x).__name__}, wanted a tensor (N, ...); write torch.as_tensor(x)")
    parts = zip(*(tensor.split(rows) for tensor in as_tuple(x)), strict=True)
    return torch.cat([function(part if isinstance(x, tuple) else part[0]) for part in parts])
