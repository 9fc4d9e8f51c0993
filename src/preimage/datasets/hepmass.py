"""HEPMASS: particles of unknown mass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.datasets.dataset import Dataset
from preimage.datasets.reading import checked, found, read_numbers
from preimage.errors import DataFileError

TRAIN, TEST = "1000_train.csv", "1000_test.csv"
SIGNAL = 1.0  # label of the rows that are kept
REPEATED = 5  # a column whose smallest value occurs more often is taken for discrete


def hepmass(path: str | Path) -> Dataset:
    """HEPMASS, 21 columns in the original files, with the cleaning and the split of the published table.

    Only rows of the signal (label 1) are kept; columns whose smallest value occurs more than five times in
    the training rows are left out.

    Reference: Papamakarios, Pavlakou, Murray (2017), Masked autoregressive flow, appendix D,
    https://arxiv.org/abs/1705.07057

    Args:
        path: a folder with ``1000_train.csv`` and ``1000_test.csv``, itself or in ``hepmass/``. Both have
            the label in the first column; further columns at the end of the test file are ignored, as
            they were for the published table.

    Returns:
        Rows in float32, standardised by the training and validation rows.

    Raises:
        DataFileError: a file is missing, or is not such a table.

    Cost: both files in memory, about twice.
    """
    file = found(path, (f"hepmass/{TRAIN}", TRAIN), "HEPMASS")
    known, test = _signal(file), _signal(found(file.parent, (TEST,), "HEPMASS"))
    if test.shape[1] < known.shape[1]:
        raise DataFileError(
            f"HEPMASS: {TEST} has {test.shape[1]} columns after the label, wanted {known.shape[1]} or more"
        )
    test = test[:, : known.shape[1]]
    varied = known.std(axis=0) > 0
    scale = np.where(varied, known.std(axis=0, ddof=1), 1.0)
    continuous = np.flatnonzero((known == known.min(axis=0)).sum(axis=0) <= REPEATED)
    if not len(continuous):
        raise DataFileError("HEPMASS: every column repeats its smallest value, so none is continuous")
    known, test = (((part - known.mean(axis=0)) / scale)[:, continuous] for part in (known, test))
    held = int(0.1 * len(known))
    train, validation = known[: len(known) - held], known[len(known) - held :]
    return Dataset(
        "HEPMASS",
        *(torch.from_numpy(part.astype(np.float32)) for part in (train, validation, test)),
        names=tuple(f"feature {column}" for column in continuous),
        units=("standard deviations of the training and validation rows",),
        source=f"{TRAIN} and {TEST}, preprocessing of MAF",
    )


def _signal(file: Path) -> np.ndarray:
    rows = checked(file, read_numbers(file, header=True))
    signal = rows[rows[:, 0] == SIGNAL, 1:]
    if len(signal) < 10 or signal.shape[1] < 1:
        raise DataFileError(
            f"{file}: has {len(signal)} rows of label 1, wanted 10 or more with columns after it"
        )
    return signal
