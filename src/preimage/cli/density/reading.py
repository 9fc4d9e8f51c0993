"""Which kind of data a path holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.cli.density.array import Array
from preimage.cli.density.choice import Choice
from preimage.cli.density.frame import Frame
from preimage.cli.density.material import Material
from preimage.cli.density.pictures import Pictures
from preimage.datasets.frames import is_table
from preimage.datasets.reading import refuse_pickle
from preimage.errors import DataFileError

ARRAYS = (".npy", ".npz")


def read(path: Path, choice: Choice) -> Material:
    """The data at a path: a table, an array, or a folder of pictures.

    Raises:
        DataFileError: it is none of them, or cannot be read.
        PictureError: a picture cannot be read.
    """
    path = refuse_pickle(path.expanduser())
    if not path.exists():
        raise DataFileError(f"{path}: no such file or folder")
    if path.is_dir():
        return Pictures.read(path, choice)
    choice.refuse_size(f"{path} is a file")
    if is_table(path):
        return (Array.of_frame if choice.numbers else Frame.read)(path, choice)
    if path.suffix.lower() not in ARRAYS:
        raise DataFileError(
            f"{path}: wanted a table (.csv, .csv.gz, .tsv, .parquet), an array (.npy, .npz) or a folder of"
            " pictures"
        )
    return _as_pictures(Array.read(path, choice))


def _as_pictures(found: Array) -> Material:
    """Arrays of bytes ``(N, 1 or 3, H, W)`` are pictures."""
    if found.x.dtype != torch.uint8 or found.context is not None:
        return found
    if found.event_shape[0] in (1, 3):
        return Pictures(found.x)
    if found.event_shape[-1] in (1, 3):
        return Pictures(torch.from_numpy(np.ascontiguousarray(found.x.numpy().transpose(0, 3, 1, 2))))
    raise DataFileError(
        f"an array of bytes has rows of shape {found.event_shape}, wanted pictures (C, H, W) with one channel"
        " or three; for other data give numbers with a point"
    )
