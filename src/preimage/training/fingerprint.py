"""Which data a run was trained on, in a few words that a checkpoint can hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

MOST_BYTES = 2**26  # looked at: all rows of small data, rows at even distances of large ones


def of_tensors(columns: Sequence[Tensor]) -> str:
    """Shape and dtype of every column, and a hash over its bytes.

    Of columns of more than 64 MiB only rows at even distances are looked at, the first and the last among
    them: other data of the same shape are told apart, and a change of single rows perhaps not.

    Args:
        columns: tensors ``(N, ...)``, N >= 1.

    Returns:
        A line such as ``float32 (512, 2) 1f0e...``, columns separated by commas.

    Cost: at most 64 MiB a column are read.

    Example:
        >>> first, other = of_tensors([torch.zeros(5, 2)]), of_tensors([torch.ones(5, 2)])
        >>> first.split(" ")[0], first == of_tensors([torch.zeros(5, 2)]), first == other
        ('float32', True, False)
    """
    return ", ".join(_one(column.detach()) for column in columns)


def _one(column: Tensor) -> str:
    rows = max(1, MOST_BYTES // max(1, column[0].numel() * column.element_size()))
    if rows < len(column):
        # Whole numbers: a float32 ruler would miss rows of very long data.
        places = torch.arange(rows, dtype=torch.int64) * (len(column) - 1) // max(1, rows - 1)
        seen = column[places.to(column.device)]
    else:
        seen = column
    data = seen.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    kind = str(column.dtype).removeprefix("torch.")
    return f"{kind} {tuple(column.shape)} {hashlib.sha256(data.tobytes()).hexdigest()[:16]}"
