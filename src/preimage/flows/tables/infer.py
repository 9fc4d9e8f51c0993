"""What kind each column of a data frame is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.errors import DomainError, ShapeError
from preimage.flows.tables.category import Category
from preimage.flows.tables.column import Column
from preimage.flows.tables.kinds import Real, Whole
from preimage.flows.tables.missing import Missing, is_missing
from preimage.flows.tables.wanted import Kind, refuse_infinity, refuse_unknown

Frame = Mapping[str, Any]
MANY = 100  # categories of which most would be seen once or twice
FEW = 10  # whole numbers with at most so many different values are taken for categories
COUNTABLE = 2.0**53  # from here on every number in double precision is whole
LARGEST = 1e150  # larger numbers have no square in double precision


def as_columns(frame: Any) -> dict[str, np.ndarray]:
    """A data frame, or a mapping from names to values, as arrays of one length.

    Raises:
        ShapeError: it is neither, has no rows, or its columns differ in length.

    Example:
        >>> as_columns({"a": [1, 2]})
        {'a': array([1, 2])}
    """
    if not hasattr(frame, "keys") and not hasattr(frame, "columns"):
        raise ShapeError(
            f"TabularFlow: the table is {type(frame).__name__}, wanted a data frame or a dict of"
            " columns; for arrays use Flow"
        )
    names = list(frame.keys()) if hasattr(frame, "keys") else list(frame.columns)
    found = {str(name): _array(frame[name]) for name in names}
    lengths = {len(values) for values in found.values()}
    if len(lengths) != 1 or 0 in lengths or any(values.ndim != 1 for values in found.values()):
        raise ShapeError(
            f"TabularFlow: columns have {sorted(lengths)} rows, wanted one number of 1 or more for all"
        )
    return found


def infer_columns(frame: Any, kinds: Mapping[str, Kind] | None = None) -> list[Column]:
    """Choose a kind for every column: words and truth values are categories, and so are a few whole numbers.

    Args:
        frame: a data frame, or a mapping from names to values.
        kinds: what some columns are, by name, where their values do not show it: :func:`positive`,
            ``bounded(low, high)``, :func:`categorical`, or a function of name and values that makes a column.

    Returns:
        The columns, each with the centre and scale of its values.

    Raises:
        ShapeError: the table has no rows, a column has only one value, or there is none of a given name.
        DomainError: values do not fit the kind that was given for them, or their squares overflow.

    Example:
        >>> from preimage.flows.tables import positive
        >>> rows = {"a": [0.5, 1.5], "b": ["x", "y"], "c": [0.5, 1.5]}
        >>> [type(column).__name__ for column in infer_columns(rows, {"c": positive})]
        ['Real', 'Category', 'Positive']
    """
    columns, given = as_columns(frame), kinds or {}
    refuse_unknown(set(given), list(columns))
    return [_inferred(name, values, given.get(name, _kind)) for name, values in columns.items()]


def _inferred(name: str, values: np.ndarray, kind: Kind) -> Column:
    gone = is_missing(values)
    there = values[~gone]
    _refuse_one_value(name, there)
    refuse_infinity(name, there)
    _refuse_overflow(name, there)
    column = kind(name, there)
    return Missing(column) if gone.any() else column


def _refuse_one_value(name: str, values: np.ndarray) -> None:
    different = list(dict.fromkeys(values.tolist()))
    if len(different) < 2:
        held = f"only the value {different[0]!r}" if different else "no values"
        raise ShapeError(
            f"TabularFlow: column {name!r} has {held}, which has no density; leave it out of the columns"
        )


def _refuse_overflow(name: str, values: np.ndarray) -> None:
    largest = float(np.abs(values.astype(np.float64)).max()) if values.dtype.kind in "iuf" else 0.0
    if largest > LARGEST:
        raise DomainError(
            f"TabularFlow: column {name!r} holds {largest:.3g}, whose square overflows, wanted numbers up to"
            f" {LARGEST:.0e}; give the column in another unit, or its logarithm"
        )


def _kind(name: str, values: np.ndarray) -> Column:
    different = list(dict.fromkeys(values.tolist()))
    if values.dtype.kind in "mMc":
        raise ShapeError(
            f"TabularFlow: column {name!r} holds {values.dtype}, wanted numbers, words or truth values;"
            " convert it, for example dates to days"
        )
    if values.dtype.kind not in "iuf" or (values.dtype.kind in "iu" and len(different) <= FEW):
        return _category(name, different, len(values))
    numbers = values.astype(np.float64)
    center, scale = float(numbers.mean()), float(numbers.std())
    counts = np.abs(numbers).max() < COUNTABLE and (numbers == np.round(numbers)).all()
    if values.dtype.kind in "iu" or counts:
        return Whole(name, center, scale, low=0.0 if numbers.min() >= 0 else None)
    return Real(name, center, scale)


def _category(name: str, different: list[Any], rows: int) -> Category:
    if len(different) == rows > FEW:
        raise ShapeError(
            f"TabularFlow: column {name!r} has another value in every row, such as {different[0]!r}: leave it"
            " out if it only names the rows, or make numbers of it, such as days of dates"
        )
    if len(different) > MANY:
        raise ShapeError(
            f"TabularFlow: column {name!r} has {len(different)} different words, such as {different[0]!r},"
            f" wanted {MANY} or fewer; leave it out if it only names the rows, group rare values, or ask for"
            " categories (categorical), which may be a thousand"
        )
    return Category(name, sorted(different, key=str))


def _array(column: Any) -> np.ndarray:
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    return values.astype(object) if values.dtype.kind in "US" else values
