"""Results as files: tables, arrays, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from preimage.datasets.reading import pandas
from preimage.errors import OutputError, PreimageError
from preimage.gallery import whole_folder
from preimage.zoo.reading import pillow

Columns = Mapping[str, np.ndarray]
MARK = "pictures.tsv"


def write_columns(path: Path, columns: Columns) -> None:
    """Columns of one length as CSV, Parquet or ``.npy`` (numbers only), by the suffix.

    Raises:
        OutputError: there is no such format, or the place cannot be written.
    """
    write = _FORMATS.get(path.suffix.lower())
    if write is None:
        raise OutputError(f"{path}: wanted a file with one of the suffixes {', '.join(_FORMATS)}")
    with_clear_errors(path, lambda: write(path, columns))


def check_columns_target(path: Path) -> None:
    """Refuse, before any work is done, a file that :func:`write_columns` could not write."""
    if path.suffix.lower() not in _FORMATS:
        raise OutputError(f"{path}: wanted a file with one of the suffixes {', '.join(_FORMATS)}")
    check_file_target(path)


def check_file_target(path: Path) -> None:
    """Refuse a file whose folder is missing or whose place is taken by a folder."""
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"is in {path.parent}, which is no folder"
        raise OutputError(f"{path} {what}; choose another place")


def write_array(path: Path, values: np.ndarray) -> None:
    """One array as ``.npy``."""
    check_file_target(path)
    with_clear_errors(path, lambda: np.save(path, values, allow_pickle=False))


def write_pictures(folder: Path, pictures: np.ndarray) -> None:
    """Pictures ``(N, C, H, W)`` of bytes as PNG files, numbered."""
    image, digits = pillow(), len(str(max(0, len(pictures) - 1)))
    with whole_folder(folder, mark=MARK) as place:
        names = [f"{number:0{digits}d}.png" for number in range(len(pictures))]
        for name, picture in zip(names, pictures, strict=True):
            values = picture[0] if picture.shape[0] == 1 else picture.transpose(1, 2, 0)
            image.fromarray(values).save(place / name)
        (place / MARK).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def with_clear_errors(path: Path, write: Callable[[], Any]) -> None:
    """Write; what the system refuses is an error of the library."""
    try:
        write()
    except PreimageError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write to {path}: {error.strerror or error}; choose another place"
        ) from error


def _frame(columns: Columns) -> Any:
    return pandas("a table").DataFrame(dict(columns))


def _npy(path: Path, columns: Columns) -> None:
    words = [name for name, values in columns.items() if values.dtype.kind not in "iufb"]
    if words:
        raise OutputError(f"{path}: column {words[0]!r} holds words, which .npy cannot hold; write .csv")
    np.save(path, np.stack([values.astype(np.float64) for values in columns.values()], axis=1))


_FORMATS: dict[str, Callable[[Path, Columns], Any]] = {
    ".csv": lambda path, columns: _frame(columns).to_csv(path, index=False),
    ".parquet": lambda path, columns: _frame(columns).to_parquet(path, index=False),
    ".npy": _npy,
}
