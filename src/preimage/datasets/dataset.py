"""What every loader returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from preimage.errors import DataFileError


@dataclass(frozen=True, eq=False)
class Labels:
    """The class of every row.

    Args:
        train: whole numbers ``(N,)``.
        validation: of the rows to validate with.
        test: of the rows to test on.
        classes: names of the classes, by number; may be empty.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to train on, to choose settings with, and to report on; nothing more.

    Args:
        name: of the data set.
        train: rows to train on ``(N, *event)``.
        validation: rows to choose settings with ``(M, *event)``.
        test: rows to report on ``(T, *event)``.
        names: of the columns of a table; of the axes of a picture.
        units: of the values, one for each column, or one for all.
        source: where the data are from, and what was done to them.
        labels: classes of the rows, where there are any.

    Raises:
        DataFileError: the three parts do not fit together.

    Example:
        >>> parts = torch.zeros(8, 2), torch.zeros(1, 2), torch.zeros(1, 2)
        >>> Dataset("nothing", *parts, names=("a", "b"), units=("m", "s")).event_shape
        (2,)
    """

    name: str
    train: Tensor
    validation: Tensor
    test: Tensor
    names: tuple[str, ...]
    units: tuple[str, ...]
    source: str = ""
    labels: Labels | None = None

    def __post_init__(self) -> None:
        shapes = {tuple(part.shape[1:]) for part in (self.train, self.validation, self.test)}
        if len(shapes) > 1:
            raise DataFileError(f"{self.name}: parts have rows of shapes {sorted(shapes)}, wanted one shape")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self.train.shape[1:])

    def map(self, change: Callable[[Tensor], Tensor], **fields: object) -> Dataset:
        """The same change made to the three parts; further fields are replaced as given."""
        parts = {name: change(getattr(self, name)) for name in ("train", "validation", "test")}
        return replace(self, **parts, **fields)  # pyright: ignore[reportArgumentType]

    def standardised(self) -> Dataset:
        """Columns with the mean 0 and the standard deviation 1 of the rows to train on.

        Raises:
            DataFileError: a column is constant.
        """
        deviation, mean = torch.std_mean(self.train.double(), dim=0)
        if not (deviation > 0).all():
            raise DataFileError(f"{self.name}: a column is constant, so it has no deviation; leave it out")
        units = ("standard deviations of the training rows",)
        return self.map(lambda part: ((part.double() - mean) / deviation).to(part.dtype), units=units)

    def __repr__(self) -> str:
        counts = ", ".join(f"{part} {len(getattr(self, part)):,}" for part in ("train", "validation", "test"))
        return f"Dataset({self.name!r}, rows of shape {self.event_shape}: {counts})"


def split_sizes(rows: int, name: str) -> tuple[int, int, int]:
    """Rows to train on, to validate with and to test on: a tenth to test on, a tenth of the rest to validate.

    Raises:
        DataFileError: there are too few rows.

    Example:
        >>> split_sizes(1000, "a table")
        (810, 90, 100)
    """
    test = int(0.1 * rows)
    validation = int(0.1 * (rows - test))
    if validation < 1:
        raise DataFileError(f"{name}: has {rows} rows, wanted 12 or more to split")
    return rows - test - validation, validation, test


def shuffled(name: str, rows: Tensor, seed: int, labels: Tensor | None = None) -> tuple[Tensor, ...]:
    """Rows, and their labels if there are any, in three parts, in an order that only the seed decides."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    sizes = list(split_sizes(len(rows), name))
    parts = rows[order].split(sizes)
    return parts if labels is None else (*parts, *labels[order].split(sizes))


def held_back(rows: Tensor, held: int) -> tuple[Tensor, Tensor]:
    """All rows but the last, and the last.

    Example:
        >>> held_back(torch.arange(4), 1)
        (tensor([0, 1, 2]), tensor([3]))
    """
    return rows[: len(rows) - held], rows[len(rows) - held :]
