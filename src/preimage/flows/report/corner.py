"""Every pair of columns: data below the diagonal, samples above it, both on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from preimage.flows.report.columns import Axis, axes_of, short
from preimage.flows.report.figures import DATA, DATA_MAP, SAMPLES, SAMPLES_MAP, SOFT, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8  # columns that are still readable side by side


@in_style
def corner_plot(data: Mapping[str, Any], samples: Mapping[str, Any], most: int = MOST) -> Figure:
    """Histograms of every column and of every pair of columns, of data and of samples.

    On the diagonal stand both; below it the data, above it the samples, with the same axes mirrored, so that
    a good density looks symmetric.

    Args:
        data: values by the names of the columns: numbers, words or truth values, each ``(N,)``.
        samples: the same columns, each ``(M,)``.
        most: columns that are shown, the first ones.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: the columns differ.
        MissingExtraError: matplotlib is not installed.

    Cost: a histogram for every pair of columns that is shown.

    Example:
        >>> figure = corner_plot({"a": [1.0, 2.0], "b": [0.0, 3.0]}, {"a": [1.5], "b": [1.0]})
        >>> figure.axes[0].get_title("left")
        'a'
    """
    shown = axes_of(data, samples)
    left_out = len(shown) - most
    shown = shown[:most]
    count = len(shown)
    side = max(4.6 if count == 1 else 5.4, 1.55 * count + 0.6)
    figure = new_figure(side, side + 0.35)
    grid = np.asarray(figure.subplots(count, count, squeeze=False))
    for row in range(count):
        for column in range(count):
            _panel(grid[row, column], shown, row, column)
    _legend(figure, left_out)
    return figure


def _panel(axes: Axes, shown: list[Axis], row: int, column: int) -> None:
    if row == column:
        _marginal(axes, shown[row])
    else:
        _pair(axes, shown[column], shown[row], samples=column > row)
    last, first = row == len(shown) - 1, column == 0
    _label(axes, shown[column], shown[row] if row != column else None, last, first)


def _marginal(axes: Axes, axis: Axis) -> None:
    for values, colour, filled in ((axis.data, DATA, True), (axis.samples, SAMPLES, False)):
        counts, _ = np.histogram(values[np.isfinite(values)], axis.bins)
        density = counts / max(1, np.isfinite(values).sum()) / np.diff(axis.bins)
        axes.stairs(density, axis.bins, color=colour, fill=filled, alpha=0.35 if filled else 1, lw=1.4)
    axes.set_title(short(axis.name, 18), fontsize=9)
    axes.set_xlim(axis.bins[0], axis.bins[-1])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if max(axis.missing) > 0:
        axes.set_ylim(top=1.25 * axes.get_ylim()[1])  # room for the text
        shares = "missing {:.0%}, in samples {:.0%}".format(*axis.missing)
        axes.text(
            0.98, 0.98, shares, transform=axes.transAxes, ha="right", va="top", fontsize=6.5, color=SOFT
        )


def _pair(axes: Axes, x: Axis, y: Axis, *, samples: bool) -> None:
    first, second = (x.samples, y.samples) if samples else (x.data, y.data)
    there = np.isfinite(first) & np.isfinite(second)
    counts, _, _ = np.histogram2d(first[there], second[there], bins=[x.bins, y.bins])
    # The square root keeps thin parts of a density visible beside thick ones.
    shade = np.ma.masked_equal(np.sqrt(counts.T), 0)
    axes.pcolormesh(
        x.bins, y.bins, shade, cmap=SAMPLES_MAP if samples else DATA_MAP, vmin=-0.15 * shade.max()
    )


def _label(axes: Axes, x: Axis, y: Axis | None, last: bool, first: bool) -> None:
    axes.tick_params(labelsize=7, labelbottom=last, labelleft=first and y is not None)
    _ticks(axes.xaxis, x)
    if last:
        axes.set_xlabel(short(x.name, 24), fontsize=8)
        axes.tick_params(axis="x", labelrotation=45 if x.labels else 0)
    if y is not None:
        _ticks(axes.yaxis, y)
        if first:
            axes.set_ylabel(short(y.name, 24), fontsize=8)


def _ticks(side: Any, axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    if axis.labels and len(axis.labels) <= MOST:
        side.set_ticks(range(len(axis.labels)), axis.labels)
    else:
        side.set_major_locator(MaxNLocator(3))


def _legend(figure: Figure, left_out: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=DATA, alpha=0.5, label="data (below the diagonal)"),
        Line2D([], [], color=SAMPLES, lw=1.4, label="samples (above the diagonal)"),
    ]
    if left_out > 0:
        handles.append(Line2D([], [], ls="", label=f"{left_out} more columns are not shown"))
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=8)
