"""GAS: chemical sensors in mixtures of gases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from preimage.datasets.dataset import Dataset, split_sizes
from preimage.datasets.reading import checked, found, pandas
from preimage.errors import DataFileError

LEFT_OUT = ("Meth", "Eth", "Time")
SAME = 0.98  # columns with a higher correlation count as one
FILES = ("ethylene_CO.parquet", "ethylene_CO.csv", "ethylene_CO.pickle")


def gas(path: str | Path) -> Dataset:
    """GAS, 8 columns in the original file, with the cleaning and the split of the published table.

    Of the sensors, those that correlate above 0.98 with a later one are left out. The original file is a
    pickle, which this function does not read; the message of the error says how to convert it.

    Reference: Papamakarios, Pavlakou, Murray (2017), Masked autoregressive flow, appendix D,
    https://arxiv.org/abs/1705.07057

    Args:
        path: ``ethylene_CO.csv`` or ``ethylene_CO.parquet`` with the columns of the pickle in its order, or a
            folder that holds it, itself or in ``gas/``. ``ethylene_CO.txt`` holds four times as many rows,
            so figures from it cannot be compared with the published ones; it is not read.

    Returns:
        Rows in float32, standardised by all rows, as in the published table.

    Raises:
        DataFileError: the file is missing, a pickle, or lacks columns.
        MissingExtraError: pandas is not installed.

    Cost: the file in memory, about three times.
    """
    file = found(path, (*(f"gas/{name}" for name in FILES), *FILES), "GAS")
    frame = _read(file)
    names = [str(name) for name in frame.columns if name not in LEFT_OUT]
    absent = [name for name in LEFT_OUT if name not in frame.columns]
    if absent or len(names) < 2:
        raise DataFileError(
            f"{file}: has columns {list(frame.columns)}, wanted {list(LEFT_OUT)} and two sensors or more"
        )
    rows = checked(file, frame[names].to_numpy()).astype(np.float64)
    if not (rows.std(axis=0) > 0).all():
        raise DataFileError(f"{file}: a sensor is constant, wanted one that varies in every column")
    kept = _without_copies(rows)
    rows = rows[:, kept]
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0, ddof=1)
    parts = torch.from_numpy(rows.astype(np.float32)).split(list(split_sizes(len(rows), "GAS")))
    return Dataset(
        "GAS",
        *parts,
        names=tuple(names[column] for column in kept),
        units=("standard deviations of all rows",),
        source=f"{file.name}, preprocessing of MAF",
    )


def _read(file: Path) -> Any:
    package = pandas("GAS")
    try:
        return package.read_parquet(file) if file.suffix == ".parquet" else package.read_csv(file)
    except (OSError, ValueError, ImportError) as error:
        raise DataFileError(f"{file}: cannot be read as a table: {error}") from error


def _without_copies(rows: np.ndarray) -> list[int]:
    """The columns that are left when the first that resembles another is taken out, again and again."""
    alike = np.corrcoef(rows, rowvar=False) > SAME  # (C, C)
    kept = list(range(rows.shape[1]))
    while (copies := alike[np.ix_(kept, kept)].sum(axis=1) > 1).any():
        del kept[int(copies.argmax())]
    return kept
