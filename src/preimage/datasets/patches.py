"""Patches of photographs, as in BSDS300."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from preimage import zoo
from preimage.datasets.dataset import Dataset
from preimage.errors import DataFileError

LUMINANCE = (0.299, 0.587, 0.114)
SHARES = (0.8, 0.1, 0.1)


def photo_patches(
    folder: str | Path | None = None, rows: int = 50_000, size: int = 8, seed: int = 0
) -> Dataset:
    r"""Grey patches of photographs without their mean, laid out as BSDS300 is.

    Every patch x of size S has uniform noise added to its grey levels, its mean taken away, and its last
    pixel left out: :math:`S^2 - 1` numbers. No photograph, and no scene of which there are several, gives
    patches to two parts. Figures on these patches are not figures on BSDS300.

    Reference: Zoran, Weiss (2011), From learning models of natural image patches to whole image restoration,
    https://doi.org/10.1109/ICCV.2011.6126278

    Args:
        folder: of your own photographs, three or more; by default the packaged ones, of which those shown
            in the documentation are the ones to test on.
        rows: patches altogether: eight tenths to train on, a tenth each to validate and to test.
        size: S, side of a patch, 2 or more.
        seed: of the choice of the patches, and of the noise.

    Returns:
        Rows of :math:`S^2 - 1` numbers in float32.

    Raises:
        DataFileError: there are fewer than three scenes, or a photograph is smaller than a patch.
        MissingExtraError: no folder is given and packages with photographs are not installed.

    Cost: one decode of every photograph.
    """
    scenes = _packaged() if folder is None else _own(folder)
    generator = torch.Generator().manual_seed(seed)
    parts = [
        _patches(pictures, max(1, int(rows * share)), size, generator)
        for pictures, share in zip(scenes, SHARES, strict=True)
    ]
    names = tuple(f"pixel {number // size},{number % size}" for number in range(size * size - 1))
    source = f"{sum(map(len, scenes))} photographs, split by scene, seed {seed}"
    return Dataset("photo patches", *parts, names=names, units=("grey level, 0 to 1",), source=source)


def _packaged() -> list[list[np.ndarray]]:
    """Photographs to train on, to validate with and to test on; the demo ones are for the test."""
    test = [photograph.read() for photograph in zoo.pictures("demo")]
    others = zoo.pictures("calibration")
    scenes = list(dict.fromkeys(photograph.source for photograph in others))
    held = set(scenes[::6])
    validation = [photograph.read() for photograph in others if photograph.source in held]
    return [[photograph.read() for photograph in others if photograph.source not in held], validation, test]


def _own(folder: str | Path) -> list[list[np.ndarray]]:
    pictures = [picture for _, picture in zoo.read_folder(folder)]
    if len(pictures) < 3:
        raise DataFileError(
            f"{folder}: holds {len(pictures)} photographs, wanted 3 or more, one for each part"
        )
    held = max(1, len(pictures) // 10)
    return [pictures[2 * held :], pictures[:held], pictures[held : 2 * held]]


def _patches(pictures: Sequence[np.ndarray], rows: int, size: int, generator: torch.Generator) -> Tensor:
    grey = [torch.from_numpy(picture @ np.array(LUMINANCE)).round() for picture in pictures]  # each (H, W)
    if size < 2 or min(min(picture.shape) for picture in grey) < size:
        raise DataFileError(f"photo_patches: size is {size}, wanted 2 or more, up to the smallest photograph")
    shares = torch.randint(len(grey), (rows,), generator=generator).bincount(minlength=len(grey))
    cut = torch.cat([_cut(picture, int(n), size, generator) for picture, n in zip(grey, shares, strict=True)])
    cut = (cut + torch.rand(cut.shape, generator=generator, dtype=cut.dtype)) / 256  # (N, S * S)
    centred = (cut - cut.mean(dim=1, keepdim=True))[:, :-1]
    return centred[torch.randperm(len(centred), generator=generator)].float()


def _cut(picture: Tensor, rows: int, size: int, generator: torch.Generator) -> Tensor:
    """Patches ``(N, S * S)`` at places drawn uniformly."""
    windows = picture.unfold(0, size, 1).unfold(1, size, 1)  # (H', W', S, S)
    y = torch.randint(windows.shape[0], (rows,), generator=generator)
    x = torch.randint(windows.shape[1], (rows,), generator=generator)
    return windows[y, x].reshape(rows, size * size)
