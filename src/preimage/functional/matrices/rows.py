"""Linear maps of the features, applied at every position."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

RowFunction = Callable[[Tensor], Tensor]


def map_rows(function: RowFunction, x: Tensor) -> Tensor:
    """Apply a function of rows to the features at every position.

    Args:
        function: takes ``(M, C)`` and returns ``(M, D)``.
        x: tensor ``(N, C, ...)``.

    Returns:
        Tensor ``(N, D, ...)``.

    Example:
        >>> import torch
        >>> map_rows(lambda rows: rows[:, :1], torch.ones(2, 3, 4, 5)).shape
        torch.Size([2, 1, 4, 5])
    """
    if x.dim() == 2:
        return function(x)
    last = x.movedim(1, -1)  # (N, ..., C)
    rows = function(last.reshape(-1, last.shape[-1]))  # (N * P, D)
    return rows.reshape(*last.shape[:-1], rows.shape[-1]).movedim(-1, 1)


def as_matrix(function: RowFunction, features: int, like: Tensor) -> Tensor:
    """The matrix M for which a linear function of rows is ``rows @ M``.

    Args:
        function: linear, takes ``(M, features)``.
        features: number of columns that it takes.
        like: a tensor of the wanted dtype and device.

    Returns:
        Tensor ``(features, D)``.

    Example:
        >>> import torch
        >>> as_matrix(lambda rows: 2 * rows, 2, torch.ones(1))
        tensor([[2., 0.],
                [0., 2.]])
    """
    return function(torch.eye(features, dtype=like.dtype, device=like.device))
