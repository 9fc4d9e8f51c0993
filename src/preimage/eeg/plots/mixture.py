"""The components of a Fourier mixture as maps of the scalp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from preimage.eeg.low_frequency.mixture import FourierMixture
from preimage.eeg.plots.scalp import scalp_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_fourier_mixture(
    model: FourierMixture, channels: Sequence[str], names: Sequence[str], label: int = 1, unit: str = "µV"
) -> Figure:
    """The mean of every component over time at every electrode, in the order of how it speaks for a class.

    Args:
        model: a fitted mixture.
        channels: names of electrodes of the 10-10 system.
        names: of the classes.
        label: the class that the percentages above the maps are for.
        unit: of the recordings.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: channels and model do not fit.
        MissingExtraError: MNE or matplotlib is not installed.

    Cost: a tenth of a second a component.
    """
    with torch.no_grad():
        shares = model.class_probabilities()[label]  # (M,)
        means = model.component_windows().mean(2)  # (M, C)
    order = shares.argsort()
    titles = [f"{names[label]} {100 * float(shares[number]):.0f} %" for number in order]
    return scalp_maps(
        means[order], channels, titles, unit, "Components of the Fourier mixture: means", columns=4
    )
