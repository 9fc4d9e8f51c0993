"""Prototypes of classes, all electrodes at once or one at a time, where the electrodes sit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from preimage.eeg.plots.style import class_colour, electrode_axes, figure, quiet
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_waveforms(
    signals: Tensor,
    channels: Sequence[str],
    rate: float,
    names: Sequence[str],
    title: str = "",
    unit: str = "µV",
) -> Figure:
    """One wave a class at every electrode, in the layout of the head.

    Args:
        signals: one recording a class ``(K, C, T)``, such as class prototypes.
        channels: names of the C channels; in rows where a name has no position on the head.
        rate: samples a second, in hertz.
        names: of the classes.
        title: of the figure.
        unit: of the signals.

    Returns:
        A figure of matplotlib; write ``figure.savefig("prototypes.png")``.

    Raises:
        ShapeError: the parts do not fit together.
        MissingExtraError: matplotlib is not installed.

    Cost: a second for 21 electrodes.
    """
    _check(signals, channels, names)
    drawing = figure(9.0, 6.6 if len(channels) > 2 else 3.6)
    seconds = torch.arange(signals.shape[2]) / rate
    all_axes = electrode_axes(drawing, channels, top=0.88)
    for channel, axes in enumerate(all_axes):
        axes.axhline(0, color="#CCCCCC", linewidth=0.6)
        for label in range(len(signals)):
            axes.plot(seconds, signals[label, channel].cpu(), color=class_colour(label), linewidth=1.0)
    top = 1.05 * float(signals.abs().max()) or 1.0
    quiet(all_axes, -top, top)
    _legend(drawing, names, title, f"{unit} over seconds")
    return drawing


def plot_electrode_prototypes(
    prototypes: Tensor,
    probability: Tensor,
    clear: Tensor,
    channels: Sequence[str],
    rate: float,
    names: Sequence[str],
    title: str = "",
    unit: str = "µV",
) -> Figure:
    """What every electrode alone looks like for every class, coloured by how far it speaks for the class.

    Electrodes without a clear prototype are dashed and grey.

    Args:
        prototypes: one wave a class and electrode ``(K, C, T)``.
        probability: of the class with that wave at that electrode ``(K, C)``, in 0..1.
        clear: whether there is a clear prototype, bool ``(K, C)``.
        channels: names of the C channels.
        rate: samples a second, in hertz.
        names: of the classes, one panel each.
        title: of the figure.
        unit: of the prototypes.

    Returns:
        A figure of matplotlib, one panel a class beside the other.

    Raises:
        ShapeError: the parts do not fit together.
        MissingExtraError: matplotlib is not installed.

    Cost: a second a class for 21 electrodes.
    """
    _check(prototypes, channels, names)
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    count = len(names)
    drawing = figure(7.4 * count, 6.4)
    panels = drawing.subfigures(1, count, squeeze=False)[0]
    base = 1 / count
    colours = ScalarMappable(Normalize(base - 0.5 * (1 - base), base + 0.5 * (1 - base)), "viridis_r")
    seconds = torch.arange(prototypes.shape[2]) / rate
    top = 1.05 * float(prototypes.abs().max()) or 1.0
    for label, panel in enumerate(panels):
        all_axes = electrode_axes(panel, channels, top=0.84)
        for channel, axes in enumerate(all_axes):
            shown = bool(clear[label, channel])
            share = float(probability[label, channel])
            colour = colours.to_rgba(np.asarray(share)) if shown else "#999999"
            axes.axhline(0, color="#CCCCCC", linewidth=0.6)
            axes.plot(
                seconds, prototypes[label, channel].cpu(), "-" if shown else ":", color=colour, linewidth=1.3
            )
            axes.set_title(f"{share:.2f}", fontsize=6.5, pad=1.5, loc="right", color="#333333")
        quiet(all_axes, -top, top)
        panel.suptitle(f"{title}{': ' if title else ''}{names[label]} ({unit} over seconds)", fontsize=11)
    _evidence_bar(drawing, colours)
    return drawing


def _evidence_bar(drawing: Figure, colours: object) -> None:
    axes = drawing.add_axes((0.36, 0.905, 0.28, 0.016))
    bar = drawing.colorbar(colours, cax=axes, orientation="horizontal")  # pyright: ignore[reportArgumentType]
    bar.set_label("probability of the class; dotted grey: no clear prototype", fontsize=8, labelpad=2)
    bar.ax.tick_params(labelsize=7)


def _legend(drawing: Figure, names: Sequence[str], title: str, unit: str) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=class_colour(label), linewidth=2) for label in range(len(names))]
    drawing.legend(lines, list(names), loc="upper right", fontsize=9, frameon=False, ncols=min(4, len(names)))
    drawing.text(0.02, 0.975, f"{title} ({unit})" if title else unit, fontsize=11, va="top")


def _check(signals: Tensor, channels: Sequence[str], names: Sequence[str]) -> None:
    if signals.dim() != 3 or signals.shape[:2] != (len(names), len(channels)):
        raise ShapeError(
            f"plot: signals have shape {tuple(signals.shape)}, wanted ({len(names)}, {len(channels)}, T) for"
            f" {len(names)} classes and {len(channels)} channels"
        )
