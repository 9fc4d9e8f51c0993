"""Tables in files of users."""

from __future__ import annotations

import csv
import difflib
import gzip
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preimage.datasets.reading import pandas
from preimage.errors import DataFileError, MissingExtraError

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
SEPARATORS = (",", ";", "\t", "|")
MOST_NAMES = 2**20
"""Characters of the first line that are looked at."""


def is_table(path: str | Path) -> bool:
    """Whether a file is a table by its name.

    Example:
        >>> is_table("rows.csv.gz"), is_table("rows.npy")
        (True, False)
    """
    return str(path).lower().endswith(TABLES)


def read_frame(path: str | Path, columns: Sequence[str] = ()) -> Any:
    """A table as a data frame.

    Args:
        path: CSV, with or without compression, TSV, or Parquet; the first line of a CSV holds names, and
            tells whether commas, semicolons, tabs or bars stand between them.
        columns: to keep, in this order; all by default.

    Returns:
        A data frame of pandas, in which numbers that may be missing are NaN.

    Raises:
        DataFileError: the file is missing, cannot be read, is empty, or lacks a column.
        MissingExtraError: pandas, or for Parquet pyarrow, is not installed.

    Cost: the file in memory, about twice.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.csv"
        ...     _ = path.write_text("a,b\\n1,x\\n2,y\\n")
        ...     list(read_frame(path, ["b"])["b"])
        ['x', 'y']
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise DataFileError(f"{place}: no such file")
    frame = _usual(_read(place))
    if not len(frame) or not len(frame.columns):
        raise DataFileError(f"{place}: holds {len(frame)} rows and {len(frame.columns)} columns, wanted some")
    frame.columns = [str(name) for name in frame.columns]
    _refuse_numbers_as_names(place, list(frame.columns))
    twice = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if twice:
        raise DataFileError(f"{place}: columns {twice} occur twice, wanted different names")
    return frame if not columns else frame[chosen(place, list(frame.columns), columns)]


def chosen(path: str | Path, known: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted names, if a table has them.

    Raises:
        DataFileError: it has not; the nearest names are suggested.
    """
    absent = [name for name in wanted if name not in known]
    if absent:
        near = difflib.get_close_matches(absent[0], known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        raise DataFileError(f"{path}: has no column {absent[0]!r}.{hint} It has {listed}")
    return list(wanted)


def _read(path: Path) -> Any:
    package = pandas("a table")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return package.read_parquet(path)
        frame = _numeric_as_possible(package, path, _separator(path, "\t" if ".tsv" in name else ","))
    except UnicodeError as error:
        raise DataFileError(
            f"{path}: cannot be read as a table: it is no text in UTF-8; save it as UTF-8"
        ) from error
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow. Install with:\n    pip install pyarrow") from error
    except (OSError, ValueError, EOFError, csv.Error) as error:
        said = str(error).strip().split("\n")[0]
        raise DataFileError(f"{path}: cannot be read as a table: {said}") from error
    _refuse_shifted(path, frame)
    return frame


def _separator(path: Path, usual: str) -> str:
    """What stands between the names in the first line: the usual mark, unless another splits it further."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        first = file.readline(MOST_NAMES)
    fields = {mark: len(next(csv.reader([first], delimiter=mark), [])) for mark in (usual, *SEPARATORS)}
    return max(fields, key=lambda mark: fields[mark])  # of equals the first


def _numeric_as_possible(package: Any, path: Path, separator: str) -> Any:
    """The table with points in its numbers, or with commas where these make numbers of more columns."""
    frame = package.read_csv(path, sep=separator)
    if separator == "," or not _words(package, frame):
        return frame
    other = package.read_csv(path, sep=separator, decimal=",")
    return other if _words(package, other) < _words(package, frame) else frame


def _words(package: Any, frame: Any) -> int:
    return sum(not package.api.types.is_numeric_dtype(kind) for kind in frame.dtypes)


def _refuse_shifted(path: Path, frame: Any) -> None:
    """Refuse rows of more fields than names, unless the first ones only number or name the rows.

    The reader of tables would take the first field of such rows for their label, and a mark at the end of
    every row is enough to move each column by one.
    """
    index = frame.index
    if not len(frame.columns) or (index.nlevels == 1 and _labels_rows(index.to_numpy())):
        return
    more = len(frame.columns) + index.nlevels
    raise DataFileError(
        f"{path}: rows have {more} fields, but the first line has {len(frame.columns)} names; wanted a name"
        " for each field, and no mark at the end of a row"
    )


def _labels_rows(labels: Any) -> bool:
    counted = any(list(labels) == list(range(start, start + len(labels))) for start in (0, 1))
    return counted or (labels.dtype.kind in "OSUT" and len(set(labels)) == len(labels))


def _refuse_numbers_as_names(path: Path, names: Sequence[str]) -> None:
    """Refuse a first line of numbers, unless they rise as places or times do: it is a row, not the names."""
    try:
        numbers = [float(name) for name in names]
    except ValueError:
        return
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise DataFileError(
            f"{path}: the first line holds numbers, {', '.join(names[:3])}, wanted names of columns; add a"
            " line of names"
        )


def _usual(frame: Any) -> Any:
    """Columns whose missing values are ``pandas.NA`` as numbers with NaN, or as objects with None."""
    package = pandas("a table")
    for name in frame.columns:
        column = frame[name]
        if getattr(column, "ndim", 1) != 1 or getattr(column.dtype, "na_value", None) is not package.NA:
            continue
        numeric = package.api.types.is_numeric_dtype(column.dtype)
        plain = column.astype("float64") if numeric and column.isna().any() else column.astype(object)
        frame[name] = plain if numeric and column.isna().any() else plain.where(column.notna(), None)
        frame[name] = frame[name].infer_objects()
    return frame
