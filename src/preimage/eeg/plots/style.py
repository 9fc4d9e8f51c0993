"""What all figures share: colours that colour-blind readers can tell apart, and small axes at electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from preimage.eeg.layout import grid_places, knows
from preimage.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASS_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's colours, one a class."""
DIVERGING = "RdBu_r"
GREY = "#777777"


def figure(width: float, height: float) -> Figure:
    """An empty figure whose axes are placed by hand; sizes in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("this figure needs matplotlib; pip install 'preimage[eeg]'") from error
    return Figure(figsize=(width, height), dpi=150)


def class_colour(label: int) -> str:
    """The colour of a class; they repeat after six."""
    return CLASS_COLOURS[label % len(CLASS_COLOURS)]


def bare(axes: Any) -> None:
    """Axes without ticks and frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def electrode_axes(panel: Any, channels: Sequence[str], top: float = 0.9) -> list[Axes]:
    """One small pair of axes a channel: where the electrode sits, or in rows where positions are unknown.

    Args:
        panel: an empty figure, or a part of one.
        channels: names of the C channels.
        top: share of the height that is used; the rest is for titles.

    Returns:
        C axes, in the order of the channels.
    """
    on_the_head = len(channels) > 2 and all(knows(channel) for channel in channels)
    places = grid_places(channels) if on_the_head else _in_rows(len(channels))
    rows, columns = (1 + max(place) for place in zip(*places, strict=True))
    width, height = 0.95 / columns, (top - 0.03) / rows
    found = []
    for (row, column), name in zip(places, channels, strict=True):
        left, bottom = 0.04 + column * width, 0.03 + (rows - 1 - row) * height
        axes = panel.add_axes((left, bottom + 0.15 * height, 0.8 * width, 0.66 * height))
        axes.set_title(name, fontsize=7, pad=1.5, loc="left")
        axes.tick_params(labelsize=6, length=2)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        found.append(axes)
    return found


def quiet(all_axes: Sequence[Any], low: float, high: float) -> None:
    """The same limits for all; numbers only at the lowest axes on the left."""
    numbered = min(all_axes, key=lambda axes: (round(axes.get_position().y0, 2), axes.get_position().x0))
    for axes in all_axes:
        axes.set_ylim(low, high)
        if axes is not numbered:
            axes.set_xticklabels([])
            axes.set_yticklabels([])


def _in_rows(count: int) -> list[tuple[int, int]]:
    columns = 1 if count < 3 else 4
    return [(number // columns, number % columns) for number in range(count)]
