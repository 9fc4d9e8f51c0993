"""BSDS300: patches of photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.datasets.dataset import Dataset
from preimage.datasets.reading import checked, found
from preimage.errors import DataFileError, MissingExtraError

COLUMNS = 63
PARTS = ("train", "validation", "test")


def bsds300(path: str | Path) -> Dataset:
    """BSDS300, 63 columns: patches of 8x8 without their mean and without their last pixel.

    Reference: Papamakarios, Pavlakou, Murray (2017), Masked autoregressive flow, appendix D,
    https://arxiv.org/abs/1705.07057; Martin, Fowlkes, Tal, Malik (2001), A database of human segmented
    natural images, https://doi.org/10.1109/ICCV.2001.937655

    Args:
        path: ``BSDS300.hdf5`` with the tables train, validation and test, or a folder that holds it, itself
            or in ``BSDS300/``.

    Returns:
        Rows of 63 numbers in float32: grey levels between 0 and 1, dequantised, less the mean of the patch.

    Raises:
        DataFileError: the file is missing, or is not such a file.
        MissingExtraError: h5py is not installed.

    Cost: the file in memory.
    """
    file = found(path, ("BSDS300/BSDS300.hdf5", "BSDS300.hdf5"), "BSDS300")
    parts = [torch.from_numpy(part) for part in _read(file)]
    names = tuple(f"pixel {number // 8},{number % 8}" for number in range(COLUMNS))
    source = f"{file.name}, preprocessing of MAF"
    return Dataset("BSDS300", *parts, names=names, units=("grey level, 0 to 1",), source=source)


def _read(file: Path) -> list[np.ndarray]:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("BSDS300 needs h5py. Install with:\n    pip install h5py") from error
    try:
        with h5py.File(file, "r") as opened:
            absent = [part for part in PARTS if not isinstance(opened.get(part), h5py.Dataset)]
            if absent:
                raise DataFileError(f"{file}: holds {sorted(opened)}, wanted tables {', '.join(PARTS)}")
            return [checked(file, np.asarray(opened[part]), COLUMNS).astype(np.float32) for part in PARTS]
    except OSError as error:
        raise DataFileError(f"{file}: not an HDF5 file: {error}") from error
