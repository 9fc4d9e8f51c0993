"""Kinds of columns that the user names, where what the values show is not enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from preimage.errors import DomainError, ShapeError
from preimage.flows.tables.category import Category
from preimage.flows.tables.column import Column
from preimage.flows.tables.kinds import Bounded, Positive

Kind = Callable[[str, np.ndarray], Column]
"""Makes the column of a name from its values, none of them missing; see :func:`infer_columns`."""

MOST = 1000  # categories: each is a number that the flow has to learn


def positive(name: str, values: np.ndarray) -> Column:
    """A column of positive numbers, whose unit is their geometric mean.

    Raises:
        DomainError: a value is not positive.

    Example:
        >>> round(positive("income", np.array([1.0, 100.0])).scale)
        10
    """
    Positive(name).encode(values)  # refuses what is not positive
    return Positive(name, float(np.exp(np.log(values.astype(np.float64)).mean())))


def bounded(low: float, high: float) -> Kind:
    """Columns of numbers strictly between two bounds.

    Args:
        low: bound below all values.
        high: bound above all values.

    Raises:
        DomainError: a value is not between them.

    Example:
        >>> bounded(0, 1)("share", np.array([0.2, 0.9])).plain()
        {'low': 0.0, 'high': 1.0}
    """

    def made(name: str, values: np.ndarray) -> Column:
        column = Bounded(name, low, high)
        column.encode(values)
        return column

    return made


def categorical(name: str, values: np.ndarray) -> Column:
    """A column of categories, however many whole numbers or words there are, up to a thousand.

    Raises:
        ShapeError: there are more.

    Example:
        >>> categorical("code", np.arange(300.0)).width
        300
    """
    different = list(dict.fromkeys(values.tolist()))
    if len(different) > MOST:
        raise ShapeError(
            f"column {name!r} has {len(different)} different values, wanted {MOST} categories or fewer; group"
            " rare ones, or leave the column out if it only names the rows"
        )
    return Category(name, sorted(different, key=_order))


def _order(value: Any) -> tuple[bool, Any, str]:
    """Numbers by size, before words by the alphabet."""
    number = isinstance(value, int | float)
    return not number, value if number else 0, str(value)


def refuse_unknown(names: set[str], known: list[str]) -> None:
    """Refuse kinds for columns that are not there.

    Raises:
        ShapeError: with the names of the columns.
    """
    absent = sorted(names - set(known))
    if absent:
        raise ShapeError(f"kinds name the columns {absent}, but the table has {known}")


def refuse_infinity(name: str, values: np.ndarray) -> None:
    """Refuse infinite numbers, which have no mean and no place on a scale.

    Raises:
        DomainError: there are some.
    """
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise DomainError(
            f"column {name!r} holds infinity in {int(np.isinf(values).sum())} of {len(values)} rows; remove"
            " them, or make them missing"
        )
