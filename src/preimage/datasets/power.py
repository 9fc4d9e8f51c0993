"""POWER: electric power of a household."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.datasets.dataset import Dataset, split_sizes
from preimage.datasets.reading import found, read_array

NAMES = ("global active power", "voltage", "sub-metering 1", "sub-metering 2", "sub-metering 3", "time")
DEVIATIONS = ("standard deviations of the training and validation rows",)


def power(path: str | Path) -> Dataset:
    """POWER, 6 columns, with the noise, the order and the split of the published table.

    Reference: Papamakarios, Pavlakou, Murray (2017), Masked autoregressive flow, appendix D,
    https://arxiv.org/abs/1705.07057

    Args:
        path: ``data.npy`` with 8 columns, or a folder with ``power/data.npy`` or ``data.npy``.

    Returns:
        Rows of 6 numbers in float32, standardised by the training and validation rows. Two columns are left
        out, and uniform noise as wide as the last digit is added to the others but the time.

    Raises:
        DataFileError: the file is missing, or is not such a table.

    Cost: the file in memory, about three times.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/data.npy", np.random.rand(100, 8))
        ...     power(folder).test.shape
        torch.Size([10, 6])
    """
    file = found(path, ("power/data.npy", "data.npy"), "POWER")
    # The published split is the order of this very generator.
    random = np.random.RandomState(42)
    rows = np.array(read_array(file, columns=8), dtype=np.float64)
    random.shuffle(rows)
    rows = np.delete(rows, (1, 3), axis=1)
    count = len(rows)
    voltage, active = 0.01 * random.rand(count, 1), 0.001 * random.rand(count, 1)
    rows += np.hstack([active, voltage, random.rand(count, 3), np.zeros((count, 1))])
    return split_in_order("POWER", rows, NAMES, f"{file.name}, preprocessing of MAF")


def split_in_order(name: str, rows: np.ndarray, names: tuple[str, ...], source: str) -> Dataset:
    """The last tenth to test on, the last tenth of the rest to validate, standardised by all but the test."""
    train, validation, _ = split_sizes(len(rows), name)
    known = rows[: train + validation]
    rows = (rows - known.mean(axis=0)) / _positive(known.std(axis=0))
    parts = torch.from_numpy(rows.astype(np.float32)).split(
        [train, validation, len(rows) - train - validation]
    )
    return Dataset(name, *parts, names=names, units=DEVIATIONS, source=source)


def _positive(deviation: np.ndarray) -> np.ndarray:
    return np.where(deviation > 0, deviation, 1.0)
