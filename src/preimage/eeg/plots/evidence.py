"""How strongly recordings speak for their class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.eeg.plots.style import GREY, class_colour, figure
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_class_evidence(probabilities: Tensor, labels: Tensor, names: Sequence[str]) -> Figure:
    """The probability of the true class of every recording, and what it was taken for.

    Args:
        probabilities: of the classes ``(N, K)``.
        labels: true classes ``(N,)``.
        names: of the classes.

    Returns:
        A figure of matplotlib: dots left of the table of true and predicted classes.

    Raises:
        ShapeError: the parts do not fit together.
        MissingExtraError: matplotlib is not installed.

    Cost: one drawing.
    """
    count = len(names)
    if tuple(probabilities.shape) != (len(labels), count):
        raise ShapeError(
            f"plot_class_evidence: probabilities are {tuple(probabilities.shape)}, wanted"
            f" ({len(labels)}, {count})"
        )
    drawing = figure(8.2, 1.3 + 0.75 * max(count, 3))
    left, right = drawing.subplots(1, 2, width_ratios=[1.7, 1])
    probabilities, labels = probabilities.detach().cpu(), labels.cpu()
    chosen = probabilities.argmax(1)
    for label in range(count):
        own = probabilities[labels == label, label]
        jitter = torch.linspace(-0.28, 0.28, max(len(own), 1))[: len(own)]
        left.scatter(
            own.numpy(), (label + jitter).numpy(), s=10, alpha=0.6, color=class_colour(label), linewidths=0
        )
    left.axvline(1 / count, color=GREY, linestyle="--", linewidth=1)
    left.set(xlim=(-0.02, 1.02), yticks=range(count), xlabel="probability of the true class")
    left.set_yticklabels(list(names), fontsize=8.5)
    left.invert_yaxis()
    table = torch.stack(
        [torch.bincount(chosen[labels == k], minlength=count) for k in range(count)]
    )  # (K, K)
    shares = table / table.sum(1, keepdim=True).clamp_min(1)
    right.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1.25)
    for row in range(count):
        for column in range(count):
            shade = "white" if shares[row, column] > 0.6 else "black"
            number = str(int(table[row, column]))
            right.text(column, row, number, ha="center", va="center", fontsize=10, color=shade)
    right.set(xticks=range(count), yticks=range(count), xlabel="predicted", ylabel="true")
    right.set_xticklabels(list(names), fontsize=8, rotation=20, ha="right")
    right.set_yticklabels(list(names), fontsize=8)
    for side in ("top", "right"):
        left.spines[side].set_visible(False)
    drawing.tight_layout()
    return drawing
