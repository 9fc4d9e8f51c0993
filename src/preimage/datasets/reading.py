"""Files of users, read with distrust: no pickles, and errors that say what was wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preimage.errors import DataFileError, MissingExtraError

PICKLES = (".pickle", ".pkl", ".p")


def found(path: str | Path, names: Sequence[str], data_set: str) -> Path:
    """The file of a data set: the path itself, or the first of the names that lies in the folder.

    Args:
        path: a file, or a folder that holds it.
        names: where it may lie in the folder, best first.
        data_set: for the message.

    Raises:
        DataFileError: it is not there.
    """
    place = Path(path).expanduser()
    if place.is_file():
        return refuse_pickle(place)
    for name in names:
        if (place / name).exists():
            return refuse_pickle(place / name)
    raise DataFileError(f"{data_set}: {place} holds none of {', '.join(names)}; see docs/datasets.md")


def refuse_pickle(path: Path) -> Path:
    """The path, unless the file is a pickle, which could run code when it is read."""
    if path.suffix.lower() in PICKLES:
        raise DataFileError(
            f"{path}: a pickle can run code when it is read; where you trust it, convert it once: python -c"
            f' "import pandas; pandas.read_pickle({path.name!r}).to_csv({path.stem + ".csv"!r}, index=False)"'
        )
    return path


def read_array(path: str | Path, columns: int | None = None) -> np.ndarray:
    """An array of numbers from a file of NumPy.

    Args:
        path: a file ``.npy``, or ``.npz`` that holds one array.
        columns: how many columns it must have; any by default.

    Raises:
        DataFileError: it cannot be read, holds objects, or has other columns.
    """
    path = Path(path)
    try:
        came: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(f"{path}: cannot be read as an array of numbers: {_first_line(error)}") from error
    if not isinstance(came, np.ndarray):
        with came:
            if len(came.files) != 1:
                raise DataFileError(f"{path}: holds arrays {came.files}, wanted one")
            came = came[came.files[0]]
    return checked(path, came, columns)


def checked(path: str | Path, values: np.ndarray, columns: int | None = None) -> np.ndarray:
    """The values, if they are a table of finite numbers with that many columns."""
    if values.dtype.kind not in "iufb":
        raise DataFileError(f"{path}: holds {values.dtype}, wanted numbers")
    if columns is not None and (values.ndim != 2 or values.shape[1] != columns):
        raise DataFileError(f"{path}: has shape {values.shape}, wanted (rows, {columns})")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataFileError(f"{path}: holds NaN or infinity, wanted finite numbers")
    return values


def read_numbers(path: str | Path, *, header: bool, delimiter: str = ",", last: bool = True) -> np.ndarray:
    """The numbers of a text file, as many columns as its first line has.

    Args:
        path: the file.
        header: whether the first line holds names.
        delimiter: between two columns.
        last: whether the last column is a number too; if not, it is left out.

    Raises:
        DataFileError: it cannot be read, or a line is not of numbers.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            count = len(file.readline().split(delimiter))
        wanted = range(count if last else count - 1)
        return np.loadtxt(path, delimiter=delimiter, skiprows=int(header), usecols=wanted, ndmin=2)
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise DataFileError(f"{path}: not a table of numbers: {_first_line(error)}") from error


def pandas(purpose: str) -> Any:
    """The package pandas, or an error that names the extra."""
    try:
        import pandas as package
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs pandas. Install with:\n    pip install 'preimage[tables]'"
        ) from error
    return package


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
