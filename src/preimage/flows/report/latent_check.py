"""Whether encoded data look like draws of the base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from preimage.errors import ShapeError
from preimage.flows.report.columns import bins_for
from preimage.flows.report.figures import DATA, SAMPLES, SOFT, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROBABILITIES = np.linspace(0.005, 0.995, 199)
LINES = 64  # dimensions that are drawn


def kolmogorov_distance(first: np.ndarray, second: np.ndarray) -> float:
    r"""The largest distance between the distribution functions of two samples, :math:`\sup|F_1 - F_2|`.

    Reference: Smirnov (1948), https://doi.org/10.1214/aoms/1177730256

    Args:
        first: numbers ``(N,)``.
        second: numbers ``(M,)``.

    Returns:
        A number between 0, where they agree, and 1.

    Cost: a sort.

    Example:
        >>> kolmogorov_distance(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
        0.5
    """
    both = np.concatenate([first, second])
    steps = [np.searchsorted(np.sort(part), both, side="right") / len(part) for part in (first, second)]
    return float(np.abs(steps[0] - steps[1]).max())


def latent_figures(latents: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    """How far encoded data are from draws of the base.

    Args:
        latents: of data ``(N, D)``.
        drawn: from the base ``(M, D)``.

    Returns:
        The largest and the mean Kolmogorov distance over the dimensions, and what a distance would exceed
        by chance in one of 20 perfect dimensions.
    """
    latents, drawn = _checked(latents, drawn)
    distances = [kolmogorov_distance(a, b) for a, b in zip(latents.T, drawn.T, strict=True)]
    chance = 1.36 * np.sqrt(1 / len(latents) + 1 / len(drawn))
    return {
        "largest_distance": max(distances),
        "mean_distance": float(np.mean(distances)),
        "distance_by_chance": float(chance),
    }


@in_style
def latent_check(
    latents: np.ndarray, drawn: np.ndarray, energy: tuple[np.ndarray, np.ndarray] | None = None
) -> Figure:
    """Encoded data against draws of the base: quantiles of every dimension, all numbers, and densities.

    Where the flow fits, the lines lie on the diagonal and the histograms on each other. The last panel finds
    what single dimensions cannot show: latents that are likely one by one, but not together.

    Args:
        latents: of data ``(N, D)``.
        drawn: from the base ``(M, D)``.
        energy: minus the log-densities under the base, of the latents ``(N,)`` and of the draws ``(M,)``.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: shapes do not fit.
        MissingExtraError: matplotlib is not installed.

    Cost: a sort of every dimension that is drawn.

    Example:
        >>> z = np.random.default_rng(0).normal(size=(2, 50, 3))
        >>> len(latent_check(*z).axes)
        2
    """
    latents, drawn = _checked(latents, drawn)
    panels = 2 if energy is None else 3
    figure = new_figure(3.5 * panels, 3.4)
    axes: Any = figure.subplots(1, panels)
    _quantiles(axes[0], latents, drawn)
    _histograms(axes[1], latents.ravel(), drawn.ravel(), "all latents", "latent")
    if energy is not None:
        _histograms(axes[2], *energy, "density under the base", "minus log-density (nats)")
    axes[1].legend(loc="upper left", fontsize=7.5, handlelength=1.2)
    axes[1].set_ylim(top=1.3 * axes[1].get_ylim()[1])
    return figure


def _quantiles(axes: Axes, latents: np.ndarray, drawn: np.ndarray) -> None:
    wanted = np.quantile(drawn, PROBABILITIES, axis=0)  # (Q, D)
    came = np.quantile(latents, PROBABILITIES, axis=0)
    distances = [kolmogorov_distance(a, b) for a, b in zip(latents.T, drawn.T, strict=True)]
    worst = int(np.argmax(distances))
    shown = np.linspace(0, latents.shape[1] - 1, min(LINES, latents.shape[1])).astype(int)
    axes.plot(wanted[:, shown], came[:, shown], color=DATA, lw=0.8, alpha=max(0.12, 1 / len(shown)))
    axes.plot(wanted[:, worst], came[:, worst], color=SAMPLES, lw=1.4, label=f"worst: latent {worst}")
    span = float(wanted.min()), max(float(wanted.max()), float(wanted.min()) + 1e-3)
    axes.plot(span, span, color=SOFT, lw=1, ls="--", zorder=0)
    # A latent far out would squeeze everything else into a corner.
    room = 0.6 * (span[1] - span[0])
    axes.set_xlim(span)
    axes.set_ylim(max(span[0] - room, came.min()) - 0.1, min(span[1] + room, came.max()) + 0.1)
    axes.set(title="quantiles, a line a latent", xlabel="of the base", ylabel="of encoded data")
    axes.legend(loc="upper left", fontsize=7.5)


def _histograms(axes: Axes, came: np.ndarray, wanted: np.ndarray, title: str, label: str) -> None:
    came, wanted = came[np.isfinite(came)], wanted[np.isfinite(wanted)]
    both = np.concatenate([came, wanted])
    low, high = np.quantile(both, [0.001, 0.999]) if len(both) else (0.0, 1.0)
    bins: Any = np.linspace(low, high if high > low else low + 1, bins_for(len(came)) + 1)
    axes.hist(came, bins, density=True, color=DATA, alpha=0.4, label="encoded data")
    axes.hist(wanted, bins, density=True, color=SAMPLES, histtype="step", lw=1.4, label="draws of the base")
    axes.set(title=title, xlabel=label, yticks=[])
    axes.spines["left"].set_visible(False)


def _checked(latents: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are finite, if shapes fit."""
    if latents.ndim != 2 or drawn.ndim != 2 or latents.shape[1] != drawn.shape[1]:
        raise ShapeError(
            f"latent_check: latents {latents.shape} and draws {drawn.shape}, wanted (N, D) and (M, D)"
        )
    latents, drawn = (rows[np.isfinite(rows).all(axis=1)] for rows in (latents, drawn))
    if not latents.size or not drawn.size:
        raise ShapeError("latent_check: no row of the latents, or of the draws, is finite; wanted some")
    return latents, drawn
