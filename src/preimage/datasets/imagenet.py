"""ImageNet in 32x32 and 64x64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from preimage.datasets.dataset import Dataset, held_back
from preimage.errors import DataFileError
from preimage.zoo.reading import read_picture

HELD = 10_000  # most rows to validate with


def imagenet32(path: str | Path, rows: int | None = None) -> Dataset:
    """ImageNet in 32x32, as :func:`imagenet64` but for the size.

    Args:
        path: see :func:`imagenet64`.
        rows: see :func:`imagenet64`.

    Returns:
        Pictures ``(N, 3, 32, 32)`` in uint8.

    Raises:
        DataFileError: see :func:`imagenet64`.

    Cost: 3.9 GB for all pictures.
    """
    return _imagenet(path, 32, rows)


def imagenet64(path: str | Path, rows: int | None = None) -> Dataset:
    """ImageNet in 64x64, from either of the two data sets of that name, which must not be compared.

    Folders of pictures are those of van den Oord et al., to which the published tables of flows belong.
    Files of NumPy are those of Chrabaszcz et al., made smaller in another way.

    Reference: van den Oord, Kalchbrenner, Kavukcuoglu (2016), Pixel recurrent neural networks,
    https://arxiv.org/abs/1601.06759; Chrabaszcz, Loshchilov, Hutter (2017), A downsampled variant of
    ImageNet, https://arxiv.org/abs/1707.08819

    Args:
        path: a folder with the folders ``train_64x64`` and ``valid_64x64`` of PNG files; or one with
            ``train_data_batch_1.npz`` and so on (or ``train_data.npz``) and ``val_data.npz``.
        rows: how many pictures of the training and of the validation files to read, the first by name; all
            by default.

    Returns:
        Pictures ``(N, 3, 64, 64)`` in uint8: the last tenth of the training files, at most 10,000, to
        validate with, the validation files to test on. ``source`` says which data set it is.

    Raises:
        DataFileError: files are missing, or hold something else.
        PictureError: a picture cannot be read.

    Cost: 15.7 GB for all pictures.
    """
    return _imagenet(path, 64, rows)


def _imagenet(path: str | Path, size: int, rows: int | None) -> Dataset:
    folder, name = Path(path).expanduser(), f"ImageNet{size}"
    pictures = [folder / f"{part}_{size}x{size}" for part in ("train", "valid")]
    if all(part.is_dir() for part in pictures):
        known, test = (_pictures(part, size, rows) for part in pictures)
        source = "van den Oord et al. (2016), as it is"
    elif (folder / "val_data.npz").is_file():
        known, test = (
            _arrays(folder, pattern, size, rows) for pattern in ("train_data*.npz", "val_data.npz")
        )
        source = "Chrabaszcz et al. (2017), as it is; not the data of the published tables of flows"
    else:
        raise DataFileError(
            f"{name}: {folder} holds neither the folders {pictures[0].name} and {pictures[1].name} nor"
            " train_data_batch_1.npz and val_data.npz; see docs/datasets.md"
        )
    held = max(1, min(HELD, len(known) // 10))
    parts = held_back(known, held)
    names, units = ("channel", "row", "column"), ("grey level, 0 to 255",)
    return Dataset(name, *parts, test, names=names, units=units, source=source)


def _pictures(folder: Path, size: int, rows: int | None) -> Tensor:
    files = sorted(folder.glob("*.png"))[:rows]
    if len(files) < 2:
        raise DataFileError(f"{folder}: holds {len(files)} PNG files, wanted 2 or more")
    found = np.empty((len(files), size, size, 3), dtype=np.uint8)
    for number, file in enumerate(files):
        picture = read_picture(file)
        if picture.shape != (size, size, 3):
            raise DataFileError(f"{file}: is {picture.shape[1]}x{picture.shape[0]}, wanted {size}x{size}")
        found[number] = picture
    return torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()


def _arrays(folder: Path, pattern: str, size: int, rows: int | None) -> Tensor:
    files = sorted(folder.glob(pattern), key=lambda file: (len(file.name), file.name))
    if not files:
        raise DataFileError(f"{folder}: holds no {pattern}")
    found: list[Tensor] = []
    for file in files:
        found.append(_array(file, size))
        if rows is not None and sum(map(len, found)) >= rows:
            break
    return torch.cat(found)[:rows]


def _array(file: Path, size: int) -> Tensor:
    try:
        with np.load(file, allow_pickle=False) as opened:
            values = opened["data"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataFileError(f"{file}: has no readable array 'data': {error}") from error
    if values.dtype != np.uint8 or values.ndim != 2 or values.shape[1] != 3 * size * size:
        raise DataFileError(
            f"{file}: data are {values.dtype} {values.shape}, wanted uint8 (N, {3 * size * size})"
        )
    return torch.from_numpy(values).reshape(-1, 3, size, size)
