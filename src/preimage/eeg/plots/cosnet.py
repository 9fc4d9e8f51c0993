"""What an EEG-CosNet does, step by step, and what its filters look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.eeg.cosnet.network import CosNet
from preimage.eeg.patterns import CosNetPatterns
from preimage.eeg.plots.scalp import draw_scalp_map
from preimage.eeg.plots.style import bare, class_colour, figure
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_cosnet_filters(
    patterns: CosNetPatterns, channels: Sequence[str], names: Sequence[str], count: int = 16
) -> Figure:
    """Pairs of scalp pattern and waveform, in the order of the evidence: most for class 1 first.

    Args:
        patterns: from :func:`~preimage.eeg.cosnet_patterns`.
        channels: names of electrodes of the 10-10 system.
        names: of the two classes.
        count: pairs shown, half from either end; all where there are fewer.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: patterns and channels do not fit.
        MissingExtraError: MNE or matplotlib is not installed.

    Cost: a fifth of a second a pair.
    """
    total = len(patterns.filters)
    first = -(-min(count, total) // 2)
    shown = [*range(first), *range(total - (min(count, total) - first), total)]
    columns = min(8, len(shown))
    rows = -(-len(shown) // columns)
    drawing = figure(1.6 * columns + 0.2, 2.75 * rows + 0.5)
    grid = drawing.subplots(2 * rows, columns, squeeze=False, height_ratios=[2, 1] * rows)
    for axes in grid.flat:
        bare(axes)
    for place, number in enumerate(shown):
        above, below = (
            grid[2 * (place // columns)][place % columns],
            grid[2 * (place // columns) + 1][place % columns],
        )
        draw_scalp_map(above, patterns.spatial[number], channels)
        label = int(patterns.evidence[number] > 0)
        above.set_title(f"{number + 1}: {names[label]}", fontsize=8, color=class_colour(label))
        below.axhline(0, color="#CCCCCC", linewidth=0.6)
        below.plot(patterns.waveforms[number].cpu(), color=class_colour(label), linewidth=1.1)
    drawing.suptitle("EEG-CosNet: scalp patterns and waveforms, sorted by evidence", fontsize=10.5)
    drawing.subplots_adjust(
        left=0.02, right=0.98, top=1 - 0.75 / (2.75 * rows + 0.5), bottom=0.03, hspace=0.15
    )
    return drawing


@torch.no_grad()
def plot_cosnet_steps(net: CosNet, x: Tensor, rate: float, names: Sequence[str], count: int = 4) -> Figure:
    """One recording on its way through an EEG-CosNet.

    Left to right: signals after the strongest spatial filters, the waveforms, the absolute cosine in every
    window, and what every filter adds to the evidence.

    Args:
        net: a network for two classes.
        x: one recording ``(C, T)``.
        rate: samples a second, in hertz.
        names: of the classes.
        count: filters shown, those that add most.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: the network has more than two classes, or x does not fit it.
        MissingExtraError: matplotlib is not installed.

    Cost: one run of the network.
    """
    if net.classes != 2:
        raise ShapeError(f"plot_cosnet_steps: the network has {net.classes} classes, wanted two")
    magnitudes = net.similarities(x[None])[0].abs()  # (F, windows)
    added = net.class_weights()[1] * net.features(x[None])[0]  # (F,)
    chosen = added.abs().topk(min(count, len(added))).indices
    signals = net.spatial.detach().T @ x  # (F, T)
    drawing = figure(10.5, 1.35 * len(chosen) + 0.75)
    grid = drawing.subplots(len(chosen), 4, squeeze=False, width_ratios=[4, 2, 3, 1.4])
    titles = ("after the spatial filter", "waveform", "|cosine| of every window", "evidence")
    largest = 1.15 * float(added[chosen].abs().max()) or 1.0
    centres = net.window_centres(x.shape[1], rate)
    for row, number in enumerate(chosen.tolist()):
        colour = class_colour(int(added[number] > 0))
        grid[row][0].plot(torch.arange(x.shape[1]) / rate, signals[number], color="#444444", linewidth=0.8)
        grid[row][0].set_ylabel(f"filter {number}", fontsize=8)
        grid[row][1].plot(
            torch.arange(net.temporal.shape[1]) / rate, net.temporal[number].detach(), color=colour
        )
        grid[row][2].plot(centres, magnitudes[number], color=colour, linewidth=1.0)
        grid[row][2].set_ylim(0, 1)
        grid[row][3].barh([0], [float(added[number])], color=colour, height=0.5)
        grid[row][3].axvline(0, color="black", linewidth=0.6)
        grid[row][3].set(xlim=(-largest, largest), ylim=(-0.6, 0.6), yticks=[])
    for column, title in enumerate(titles):
        grid[0][column].set_title(title, fontsize=9)
        grid[-1][column].set_xlabel(f"← {names[0]}\n{names[1]} →" if column == 3 else "seconds", fontsize=8)
    for axes in grid.flat:
        axes.tick_params(labelsize=6.5)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    drawing.tight_layout()
    return drawing
