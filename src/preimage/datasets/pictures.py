"""Folders of pictures as one tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from preimage.errors import DataFileError
from preimage.zoo.reading import pillow, read_folder


def read_pictures(folder: str | Path, size: int | None = None) -> tuple[list[str], Tensor]:
    """Every picture of a folder, all of one size.

    Args:
        folder: with PNG, JPEG or other pictures; folders inside it are not entered.
        size: side S of the square that each is cut to, around its middle, and scaled to; by default
            pictures stay as they are, and must be of one size.

    Returns:
        The names, and the pictures ``(N, C, H, W)`` in uint8: one channel if all are grey, else three.

    Raises:
        DataFileError: sizes differ.
        PictureError: there is no picture, or one cannot be read.

    Cost: one decode a picture.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as place:
        ...     Image.new("RGB", (6, 4), "red").save(f"{place}/red.png")
        ...     names, pictures = read_pictures(place, size=2)
        >>> names, pictures.shape
        (['red'], torch.Size([1, 3, 2, 2]))
    """
    found = read_folder(folder)
    if size is not None:
        if size < 1:
            raise DataFileError(f"size is {size}, wanted 1 or more pixels")
        found = tuple((name, _squared(picture, size)) for name, picture in found)
    sizes = sorted({(picture.shape[1], picture.shape[0]) for _, picture in found})
    if len(sizes) > 1:
        listed = ", ".join(f"{width}x{height}" for width, height in sizes[:4])
        raise DataFileError(
            f"{folder}: pictures are of {len(sizes)} sizes, such as {listed}; give --size (size=) to cut and"
            " scale them to squares"
        )
    pictures = torch.from_numpy(np.stack([picture for _, picture in found])).permute(0, 3, 1, 2)
    grey = bool((pictures == pictures[:, :1]).all())
    return [name for name, _ in found], (pictures[:, :1] if grey else pictures).contiguous()


def _squared(picture: np.ndarray, size: int) -> np.ndarray:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = pillow()
    square = image.fromarray(picture[top : top + side, left : left + side])
    return np.asarray(square.resize((size, size), image.Resampling.LANCZOS))
