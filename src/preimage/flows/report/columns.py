"""Columns of numbers, whole numbers and categories on the axes of plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from preimage.errors import ShapeError

LONG = 12  # letters of a label
MOST_BINS, FEWEST_BINS = 40, 16


@dataclass(frozen=True, eq=False)
class Axis:
    """A column of data and the same column of samples, as numbers that can be drawn.

    Args:
        name: of the column.
        data: values ``(N,)``, NaN where they are missing.
        samples: values ``(M,)``.
        bins: edges of the bins of a histogram.
        labels: names of the bins, for categories.
    """

    name: str
    data: np.ndarray
    samples: np.ndarray
    bins: np.ndarray
    labels: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[float, float]:
        """Shares of missing values in data and samples."""
        return float(np.isnan(self.data).mean()), float(np.isnan(self.samples).mean())


def axes_of(data: Mapping[str, Any], samples: Mapping[str, Any]) -> list[Axis]:
    """The columns of two tables with the same names.

    Args:
        data: values by name ``(N,)``: numbers, words or truth values.
        samples: values by name ``(M,)``.

    Raises:
        ShapeError: the names differ.

    Example:
        >>> axes_of({"a": ["x", "y"]}, {"a": ["y", "y"]})[0].samples.tolist()
        [1.0, 1.0]
    """
    if list(data) != list(samples) or not list(data):
        raise ShapeError(f"report: data have columns {list(data)}, samples {list(samples)}, wanted the same")
    return [_axis(str(name), _values(data[name]), _values(samples[name])) for name in data]


def _axis(name: str, data: np.ndarray, samples: np.ndarray) -> Axis:
    if data.dtype.kind not in "iuf" or samples.dtype.kind not in "iuf":
        return _categories(name, data, samples)
    data, samples = data.astype(np.float64), samples.astype(np.float64)
    return Axis(name, data, samples, _edges(data))


def _categories(name: str, data: np.ndarray, samples: np.ndarray) -> Axis:
    known = [value for value in [*data.tolist(), *samples.tolist()] if not _gone(value)]
    labels = sorted({str(value) for value in known})
    place = {label: float(number) for number, label in enumerate(labels)}
    first, second = (
        np.array([np.nan if _gone(value) else place[str(value)] for value in values.tolist()])
        for values in (data, samples)
    )
    names = tuple(short(label, LONG) for label in labels)
    return Axis(name, first, second, np.arange(len(labels) + 1) - 0.5, names)


def short(name: str, most: int) -> str:
    """The name, cut where it is too long for a plot.

    Example:
        >>> short("concentration", 8)
        'concent…'
    """
    return name if len(name) <= most else name[: most - 1] + "…"


def _edges(data: np.ndarray) -> np.ndarray:
    """Bins over all but the tails of the data, with the same count of whole numbers in each."""
    known = data[np.isfinite(data)]
    if not known.size:
        return np.array([-0.5, 0.5])
    low, high = np.quantile(known, [0.002, 0.998])
    bins = bins_for(len(known))
    if (known == np.round(known)).all():
        low, high = np.floor(low), np.ceil(high)
        step = max(1.0, np.ceil((high - low) / bins))
        return np.arange(low, high + step + 1, step) - 0.5
    room = 0.08 * (high - low) or 0.5 * max(1.0, abs(high)) * 1e-3
    return np.linspace(low - room, high + room, bins + 1)


def bins_for(count: int) -> int:
    """Bins of a histogram of so many numbers: as the cube root of their count.

    Reference: Scott (1979), https://doi.org/10.1093/biomet/66.3.605

    Example:
        >>> bins_for(1000), bins_for(10**6)
        (30, 40)
    """
    return int(np.clip(round(3 * count ** (1 / 3)), FEWEST_BINS, MOST_BINS))


def _values(column: Any) -> np.ndarray:
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if values.ndim != 1 or not len(values):
        raise ShapeError(f"report: a column has shape {values.shape}, wanted (rows,)")
    return values.astype(object) if values.dtype.kind in "USb" else values


def _gone(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124  (NaN)
