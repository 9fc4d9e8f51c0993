"""MINIBOONE: particle identification."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from preimage.datasets.dataset import Dataset
from preimage.datasets.power import split_in_order
from preimage.datasets.reading import found, read_array

COLUMNS = 43


def miniboone(path: str | Path) -> Dataset:
    """MINIBOONE, 43 columns, with the split of the published table.

    Reference: Papamakarios, Pavlakou, Murray (2017), Masked autoregressive flow, appendix D,
    https://arxiv.org/abs/1705.07057

    Args:
        path: ``data.npy`` with 43 columns, from which outliers and columns with repeated values are gone
            already, or a folder with ``miniboone/data.npy`` or ``data.npy``.

    Returns:
        Rows of 43 numbers in float32, standardised by the training and validation rows.

    Raises:
        DataFileError: the file is missing, or is not such a table.

    Cost: the file in memory, about three times.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/data.npy", np.random.rand(100, 43))
        ...     miniboone(folder).train.shape
        torch.Size([81, 43])
    """
    file = found(path, ("miniboone/data.npy", "data.npy"), "MINIBOONE")
    rows = read_array(file, COLUMNS).astype(np.float64)
    names = tuple(f"feature {number}" for number in range(COLUMNS))
    return split_in_order("MINIBOONE", rows, names, f"{file.name}, preprocessing of MAF")
