"""What happened in training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from preimage.errors import ShapeError
from preimage.flows.report.figures import DATA, SAMPLES, SOFT, THIRD, in_style, new_figure
from preimage.training import LearningRates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@in_style
def training_curve(history: Sequence[dict[str, Any]], per: float = 1.0, unit: str = "nats a row") -> Figure:
    """Losses of training and validation over the epochs, and the learning rate.

    Args:
        history: records of :func:`preimage.training.fit`.
        per: number that losses are divided by, such as :math:`D \\log 2` for bits per dimension.
        unit: of the losses then.

    Returns:
        A figure of matplotlib; the best epoch, whose weights were kept, is marked, and so are rollbacks.

    Raises:
        ShapeError: the history is empty.
        MissingExtraError: matplotlib is not installed.

    Cost: none to speak of.

    Example:
        >>> record = {"epoch": 0, "loss": 1.0, "learning_rate": 1e-3, "rollbacks": 0}
        >>> len(training_curve([record]).axes)
        2
    """
    if not history:
        raise ShapeError("training_curve: the history is empty; train the flow first")
    figure = new_figure(6.6, 4.2)
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    epochs = [record["epoch"] + 1 for record in history]
    _losses(losses, history, epochs, per)
    losses.set_ylabel(f"loss ({unit})")
    losses.set_title("training")
    rates.plot(epochs, [record.get("learning_rate", math.nan) for record in history], color=SOFT, lw=1.3)
    rates.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
    rates.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    rates.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _losses(axes: Axes, history: Sequence[dict[str, Any]], epochs: list[int], per: float) -> None:
    # One epoch is a point, not a line.
    dots: Any = "o" if len(epochs) < 12 else None
    train = [record["loss"] / per for record in history]
    held = [record.get("validation_loss", math.nan) / per for record in history]
    axes.plot(epochs, train, color=DATA, lw=1.4, marker=dots, ms=3, label="training")
    known = [(value, epoch) for value, epoch in zip(held, epochs, strict=True) if math.isfinite(value)]
    if known:
        best, at = min(known)
        axes.plot(epochs, held, color=SAMPLES, lw=1.4, marker=dots, ms=3, label="validation")
        axes.plot([at], [best], color=SAMPLES, marker="D", ms=6, ls="", label=f"kept: epoch {at}, {best:.4g}")
    _mark_rollbacks(axes, history, epochs)
    _cut_start(axes, [*train, *held])
    axes.legend(loc="upper right", fontsize=8)


def _mark_rollbacks(axes: Axes, history: Sequence[dict[str, Any]], epochs: list[int]) -> None:
    before, label = 0, "went back after a divergence"
    for record, epoch in zip(history, epochs, strict=True):
        if record.get("rollbacks", 0) > before:
            axes.axvline(epoch, color=THIRD, lw=1, ls=":", label=label)
            before, label = record["rollbacks"], "_nolegend_"


def _cut_start(axes: Axes, losses: list[float]) -> None:
    """Leave out the first steep fall where it would flatten all that follows."""
    known = sorted(value for value in losses if math.isfinite(value))
    if len(known) >= 10:
        low, usual = known[0], known[int(0.9 * len(known))]
        if known[-1] - low > 3 * (usual - low) > 0:
            room = usual - low
            axes.set_ylim(low - 0.1 * room, usual + 0.6 * room)


@in_style
def learning_rate_curve(found: LearningRates) -> Figure:
    """The losses of a sweep over learning rates, and the rate that it suggests.

    Args:
        found: by :func:`preimage.training.find_learning_rate`.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: the sweep is empty.
        MissingExtraError: matplotlib is not installed.

    Cost: none to speak of.

    Example:
        >>> learning_rate_curve(LearningRates([1e-3, 1e-2, 1e-1], [3.0, 1.0, 2.0], 1e-2)).axes[0].get_xscale()
        'log'
    """
    if not found.rates:
        raise ShapeError("learning_rate_curve: the sweep is empty; the loss was not finite from the start")
    figure = new_figure(5.6, 3.4)
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color=DATA, lw=1.4)
    if math.isfinite(found.suggestion):
        axes.axvline(
            found.suggestion, color=SAMPLES, lw=1.2, ls="--", label=f"suggested: {found.suggestion:.2g}"
        )
        axes.legend(loc="best", fontsize=8)
    axes.set(xscale="log", xlabel="learning rate", ylabel="smoothed loss", title="learning-rate sweep")
    return figure
