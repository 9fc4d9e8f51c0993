"""Tables in files of users."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preimage.datasets.reading import pandas
from preimage.errors import DataFileError, MissingExtraError

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")


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
        path: CSV, with or without compression, TSV, or Parquet; the first line of a CSV holds names.
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
        return package.read_csv(path, sep="\t" if ".tsv" in name else ",")
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow. Install with:\n    pip install pyarrow") from error
    except (OSError, ValueError, EOFError) as error:
        said = str(error).strip().split("\n")[0]
        raise DataFileError(f"{path}: cannot be read as a table: {said}") from error


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
