"""Maps of the scalp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from preimage.eeg.layout import head_positions
from preimage.eeg.plots.style import DIVERGING, figure
from preimage.eeg.readers.mne_package import mne
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_scalp_map(axes: Any, values: Tensor, channels: Sequence[str], limit: float | None = None) -> Any:
    """A map of the scalp in the given axes, blue below zero, red above.

    Args:
        axes: of matplotlib.
        values: one number an electrode ``(C,)``.
        channels: names of electrodes of the 10-10 system, three or more.
        limit: number at which the colours end; the largest absolute value by default.

    Returns:
        The image, for a colour bar.

    Raises:
        ShapeError: numbers and names do not fit, or a name has no position.
        MissingExtraError: MNE is not installed.

    Cost: one drawing.
    """
    if tuple(values.shape) != (len(channels),) or len(channels) < 3:
        raise ShapeError(
            f"scalp map: values {tuple(values.shape)} for {len(channels)} channels, wanted one each, and"
            " three electrodes or more"
        )
    points = head_positions(channels).numpy().astype(float)
    top = float(values.detach().abs().max()) if limit is None else limit
    image, _ = mne("scalp maps").viz.plot_topomap(
        values.detach().cpu().numpy().astype(float),
        points,
        axes=axes,
        show=False,
        cmap=DIVERGING,
        vlim=(-max(top, 1e-12), max(top, 1e-12)),
        sphere=(0.0, 0.0, 0.0, 1.0),
        extrapolate="head",
        contours=torch.linspace(-max(top, 1e-12), max(top, 1e-12), 8)[1:-1].tolist(),
    )
    return image


def scalp_maps(
    maps: Tensor,
    channels: Sequence[str],
    titles: Sequence[str],
    unit: str = "µV",
    title: str = "",
    columns: int = 6,
) -> Figure:
    """Several maps of the scalp with one colour bar.

    Args:
        maps: one row of numbers a map ``(M, C)``.
        channels: names of electrodes of the 10-10 system.
        titles: one a map.
        unit: of the numbers, at the colour bar.
        title: of the whole figure.
        columns: maps in a row.

    Returns:
        A figure of matplotlib; write ``figure.savefig("maps.png")``.

    Raises:
        ShapeError: the parts do not fit together, or an electrode has no position.
        MissingExtraError: MNE or matplotlib is not installed.

    Cost: a tenth of a second a map.
    """
    if len(maps) != len(titles):
        raise ShapeError(f"scalp_maps: {len(maps)} maps and {len(titles)} titles, wanted one each")
    across = min(columns, len(maps))
    down = -(-len(maps) // across)
    width, height = 1.75 * across + 1.1, 2.0 * down + (0.5 if title else 0.1)
    drawing = figure(width, height)
    grid = drawing.subplots(down, across, squeeze=False)
    top = 1 - (0.75 if title else 0.35) / height
    drawing.subplots_adjust(left=0.01, right=1 - 1.0 / width, bottom=0.02, top=top, wspace=0.05, hspace=0.2)
    limit = float(maps.detach().abs().max())
    image: Any = None
    for number, axes in enumerate(grid.flat):
        if number < len(maps):
            image = draw_scalp_map(axes, maps[number], channels, limit)
            axes.set_title(titles[number], fontsize=8.5)
        else:
            axes.set_visible(False)
    if title:
        drawing.suptitle(title, fontsize=10.5)
    bar = drawing.colorbar(image, cax=drawing.add_axes((1 - 0.85 / width, 0.2, 0.14 / width, 0.6 * top)))
    bar.set_label(unit, fontsize=8.5)
    bar.ax.tick_params(labelsize=7)
    return drawing


def separate_scalp_maps(
    maps: Tensor, channels: Sequence[str], titles: Sequence[str], unit: str = "µV", title: str = ""
) -> Figure:
    """Several maps of the scalp, each with colours and a bar of its own, for numbers of different sizes.

    Args:
        maps: one row of numbers a map ``(M, C)``.
        channels: names of electrodes of the 10-10 system.
        titles: one a map.
        unit: of the numbers.
        title: of the whole figure.

    Returns:
        A figure of matplotlib, the maps in one row.

    Raises:
        ShapeError: the parts do not fit together, or an electrode has no position.
        MissingExtraError: MNE or matplotlib is not installed.

    Cost: a tenth of a second a map.
    """
    if len(maps) != len(titles):
        raise ShapeError(f"separate_scalp_maps: {len(maps)} maps and {len(titles)} titles, wanted one each")
    drawing = figure(2.0 * len(maps), 2.75 if title else 2.5)
    room = 1 / len(maps)
    least = 1e-3 * float(maps.detach().abs().max())  # a map of rounding errors stays blank
    for number, (values, name) in enumerate(zip(maps, titles, strict=True)):
        axes = drawing.add_axes(((number + 0.06) * room, 0.2, 0.88 * room, 0.58))
        image = draw_scalp_map(axes, values, channels, max(float(values.abs().max()), least))
        axes.set_title(name, fontsize=9)
        bar = drawing.colorbar(
            image,
            cax=drawing.add_axes(((number + 0.22) * room, 0.155, 0.56 * room, 0.03)),
            orientation="horizontal",
        )
        bar.ax.tick_params(labelsize=6.5)
        bar.locator = _three_ticks()
        bar.set_label(unit, fontsize=7, labelpad=1)
    if title:
        drawing.suptitle(title, fontsize=10.5)
    return drawing


def _three_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, symmetric=True)


def band_maps(
    x: Tensor, channels: Sequence[str], rate: float, bands: Sequence[tuple[float, float]] | None = None
) -> tuple[Tensor, list[str]]:
    """The strength of one recording in bands: its mean, then root mean squares.

    Args:
        x: one recording ``(C, T)``.
        channels: names of the C channels.
        rate: samples a second, in hertz.
        bands: lowest and highest frequencies in hertz; delta, theta, alpha and beta by default.

    Returns:
        Numbers ``(M, C)`` and a title for each row.

    Example:
        >>> maps, titles = band_maps(torch.ones(3, 128), ("C3", "CZ", "C4"), 64.0)
        >>> maps[0], titles[0]
        (tensor([1., 1., 1.]), 'mean')
    """
    usual = ((0.5, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0))
    chosen = [band for band in (usual if bands is None else bands) if band[0] < rate / 2]
    spectrum = torch.fft.rfft(x)
    frequencies = torch.fft.rfftfreq(x.shape[1], 1 / rate)
    kept = [(frequencies >= low) & (frequencies < high) for low, high in chosen]
    strengths = [torch.fft.irfft(spectrum * k, n=x.shape[1]).square().mean(1).sqrt() for k in kept]
    return torch.stack([x.mean(1), *strengths]), ["mean", *(f"{low:g}–{high:g} Hz" for low, high in chosen)]
