"""CIFAR-10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.datasets.dataset import Dataset, Labels, held_back
from preimage.datasets.reading import found
from preimage.errors import DataFileError

TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the channels


def cifar10(path: str | Path) -> Dataset:
    """CIFAR-10: 60,000 pictures of 32x32, from the binary version of the data set.

    Reference: Krizhevsky (2009), Learning multiple layers of features from tiny images,
    https://www.cs.toronto.edu/~kriz/cifar.html

    Args:
        path: the folder ``cifar-10-batches-bin``, or the one that it lies in. The Python version is made of
            pickles and is not read.

    Returns:
        Pictures ``(N, 3, 32, 32)`` in uint8 with their labels: the last tenth of the training files to
        validate with, the test file to test on.

    Raises:
        DataFileError: a file is missing, or is not a whole number of pictures.

    Cost: 180 MB.
    """
    last = found(path, (f"cifar-10-batches-bin/{TEST}", TEST), "CIFAR-10 (binary version)")
    known = [_read(found(last.parent, (name,), "CIFAR-10 (binary version)")) for name in TRAIN]
    pictures, labels = (torch.cat(parts) for parts in zip(*known, strict=True))
    test, test_labels = _read(last)
    held = max(1, len(pictures) // 10)
    return Dataset(
        "CIFAR-10",
        *held_back(pictures, held),
        test,
        names=("channel", "row", "column"),
        units=("grey level, 0 to 255",),
        source="the binary version, as it is",
        labels=Labels(*held_back(labels, held), test_labels, CLASSES),
    )


def _read(file: Path) -> tuple[torch.Tensor, torch.Tensor]:
    size = file.stat().st_size
    if size == 0 or size % RECORD:
        raise DataFileError(
            f"{file}: has {size} bytes, wanted a multiple of {RECORD}, one label and one picture"
        )
    records = np.fromfile(file, dtype=np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() >= len(CLASSES):
        raise DataFileError(f"{file}: has label {labels.max()}, wanted 0 to {len(CLASSES) - 1}")
    pictures = torch.from_numpy(records[:, 1:].copy()).reshape(-1, 3, 32, 32)
    return pictures, torch.from_numpy(labels.astype(np.int64))
