"""Which part of the data is wanted, and what the columns of a table are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from preimage.errors import DataFileError
from preimage.flows.tables import bounded, categorical, positive
from preimage.flows.tables.wanted import Kind


@dataclass(frozen=True)
class Choice:
    """Which part of the data is wanted.

    Args:
        columns: names, or numbers for arrays; all by default.
        context: names or numbers of the columns to condition on.
        size: side of pictures.
        numbers: whether a table must hold numbers only.
        drop: names of columns to leave out.
        kinds: of columns whose values do not show it.
    """

    columns: Sequence[str] = ()
    context: Sequence[str] = ()
    size: int | None = None
    numbers: bool = False
    drop: Sequence[str] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def refuse_size(self, what: str) -> None:
        """Refuse a size of pictures where there are none."""
        if self.size is not None:
            raise DataFileError(f"--size is for folders of pictures, but {what}")

    def refuse_columns(self, what: str) -> None:
        """Refuse names of columns where there are none."""
        if self.columns or self.context:
            raise DataFileError(f"{what}; leave --columns and --context out")
        self.refuse_kinds(what)

    def refuse_kinds(self, what: str) -> None:
        """Refuse what is only said about the columns of a table."""
        if self.drop:
            raise DataFileError(f"--drop names columns of a table, but {what}; leave it out")
        if self.kinds:
            raise DataFileError(
                "--positive, --bounded and --categorical are for tables with the preset 'table', but"
                f" {what}; leave them out"
            )


def kinds_of(positives: Sequence[str], bounds: Sequence[str], categories: Sequence[str]) -> dict[str, Kind]:
    """What was said about the columns, by name.

    Args:
        positives: names of columns of positive numbers.
        bounds: columns between two bounds, each as ``NAME=LOW:HIGH``.
        categories: names of columns of categories.

    Raises:
        DataFileError: two things are said about one column, or bounds cannot be read.

    Example:
        >>> sorted(kinds_of(["income"], ["share=0:1"], []))
        ['income', 'share']
    """
    pairs: list[tuple[str, Kind]] = [
        *((name, positive) for name in positives),
        *map(_bounds, bounds),
        *((name, categorical) for name in categories),
    ]
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataFileError(
            f"column {twice[0]!r} is named twice in --positive, --bounded and --categorical; choose one"
        )
    return dict(pairs)


def _bounds(text: str) -> tuple[str, Kind]:
    name, _, ends = text.rpartition("=")
    low, _, high = ends.partition(":")
    try:
        numbers = float(low), float(high)
    except ValueError:
        numbers = 1.0, 0.0
    if not name or not -float("inf") < numbers[0] < numbers[1] < float("inf"):
        raise DataFileError(
            f"--bounded {text}: wanted NAME=LOW:HIGH with the lower bound first, such as share=0:1"
        )
    return name, bounded(*numbers)
