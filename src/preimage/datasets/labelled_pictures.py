"""Pictures with classes: a folder for every class, or an archive of NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from preimage.datasets.pictures import read_pictures
from preimage.errors import DataFileError
from preimage.zoo.reading import SUFFIXES

LARGEST = 64  # side up to which pictures of one size stay as they are
USUAL = 32  # side of others


class LabelledPictures(NamedTuple):
    """Pictures and their classes.

    Args:
        x: ``(N, C, H, W)`` in uint8.
        labels: whole numbers ``(N,)``.
        classes: their names.
    """

    x: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def read_labelled_pictures(path: str | Path, size: int | None = None) -> LabelledPictures:
    """The pictures of a folder with one folder for every class, or of an ``.npz`` with ``x`` and ``labels``.

    Args:
        path: the folder, or the archive: x of shape ``(N, H, W)``, ``(N, C, H, W)`` or ``(N, H, W, C)``,
            bytes or numbers from 0 to 1; labels that are numbers or names; and ``classes``, names of the
            numbers, where it has them.
        size: side of the squares that the pictures of a folder are cut and scaled to; by default 32 unless
            all are of one size of at most 64.

    Returns:
        The pictures, grey ones with one channel.

    Raises:
        DataFileError: there are fewer than two classes, or the archive holds something else.
        PictureError: a picture cannot be read, or a class has none.

    Cost: one decode a picture.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as place:
        ...     for name in ("cat", "dog"):
        ...         Path(place, name).mkdir()
        ...         Image.new("L", (8, 6)).save(f"{place}/{name}/one.png")
        ...     found = read_labelled_pictures(place)
        >>> found.x.shape, found.classes
        (torch.Size([2, 1, 6, 8]), ('cat', 'dog'))
    """
    place = Path(path)
    return _folders(place, size) if place.is_dir() else _archive(place, size)


def holds_labelled_pictures(path: str | Path) -> bool:
    """Whether this is a folder of folders of pictures, or an archive of pictures rather than signals.

    An archive with a ``rate``, or with numbers of shape ``(N, C, T)`` that are no bytes, holds signals.

    Args:
        path: a folder or file.

    Example:
        >>> holds_labelled_pictures("no such file")
        False
    """
    place = Path(path)
    if place.is_dir():
        inside = (path for folder in place.iterdir() if folder.is_dir() for path in folder.iterdir())
        return any(path.suffix.lower() in SUFFIXES for path in inside)
    if place.suffix.lower() != ".npz" or not place.is_file():
        return False
    x = (content := _read(place)).get("x")
    if x is None or "rate" in content:
        return False
    return x.ndim == 4 or (x.ndim == 3 and x.dtype == np.uint8)


def _folders(place: Path, size: int | None) -> LabelledPictures:
    folders = sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(folders) < 2:
        raise DataFileError(
            f"{place}: holds {len(folders)} folders, wanted one folder of pictures for every class, two"
            " or more"
        )
    found = [_one_size(folder, size) for folder in folders]
    shapes = {part.shape[2:] for part in found}
    if size is None and (len(shapes) > 1 or max(next(iter(shapes))) > LARGEST):
        found = [read_pictures(folder, USUAL)[1] for folder in folders]
    channels = max(part.shape[1] for part in found)
    x = torch.cat([part.expand(-1, channels, -1, -1) for part in found])
    labels = torch.repeat_interleave(torch.arange(len(found)), torch.tensor([len(part) for part in found]))
    return LabelledPictures(x, labels, tuple(folder.name for folder in folders))


def _one_size(folder: Path, size: int | None) -> Tensor:
    """As they are where all are of one size, else scaled."""
    try:
        return read_pictures(folder, size)[1]
    except DataFileError:
        if size is not None:
            raise
        return read_pictures(folder, USUAL)[1]


def _archive(place: Path, size: int | None) -> LabelledPictures:
    if size is not None:
        raise DataFileError(f"{place}: a size is for folders of pictures; scale those of an archive yourself")
    content = _read(place)
    if "x" not in content or "labels" not in content:
        raise DataFileError(f"{place}: holds {sorted(content)}, wanted the pictures x and their labels")
    x, given = _bytes(place, content["x"]), content["labels"]
    if given.shape != (len(x),) or given.dtype.kind not in "iubUS":
        raise DataFileError(
            f"{place}: labels are {given.dtype} of shape {given.shape}, wanted ({len(x)},) numbers or names"
        )
    names, codes = np.unique(given, return_inverse=True)
    if len(names) < 2:
        raise DataFileError(f"{place}: all pictures are of one class, wanted two or more")
    known = content.get("classes")
    if known is not None and given.dtype.kind in "iu" and int(names.max()) < len(known) and names.min() >= 0:
        names = known[names]
    shown = tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names.tolist())
    return LabelledPictures(x, torch.from_numpy(codes.astype(np.int64)), shown)


def _read(place: Path) -> dict[str, Any]:
    try:
        with place.open("rb") as file:
            found: Any = np.load(file, allow_pickle=False)
            return {} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(f"{place}: cannot be read as arrays of numbers: {error}") from error
    except Exception as error:  # a broken archive raises what its parser happens to
        raise DataFileError(f"{place}: is not an archive of NumPy: {error}") from error


def _bytes(place: Path, x: Any) -> Tensor:
    """Pictures ``(N, C, H, W)`` in uint8."""
    whole, floating = x.dtype.kind in "iub", x.dtype.kind == "f"
    limit = 255 if whole else 1
    fits = x.ndim in (3, 4) and x.size > 0 and (whole or floating) and x.min() >= 0 and x.max() <= limit
    if not fits:
        raise DataFileError(
            f"{place}: x is {x.dtype} of shape {x.shape}, wanted pictures (N, H, W), (N, C, H, W) or"
            " (N, H, W, C): whole numbers from 0 to 255, or others from 0 to 1"
        )
    pictures = torch.from_numpy(np.ascontiguousarray(x if whole else np.rint(255 * x)).astype(np.uint8))
    if pictures.dim() == 3:
        return pictures[:, None]
    last = pictures.shape[3] in (1, 3) and pictures.shape[1] not in (1, 3)
    return (pictures.permute(0, 3, 1, 2) if last else pictures).contiguous()
