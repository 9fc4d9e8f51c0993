"""Reliability as a picture."""

from __future__ import annotations

from typing import Any

from preimage.classify.calibration.reliability import Reliability
from preimage.classify.drawing import figure

BLUE, GREY = "#0072b2", "#767676"


def plot_reliability(found: Reliability, title: str = "") -> Any:
    """Accuracy against confidence, with the diagonal of true claims and the share of rows in every bin.

    Args:
        found: from :func:`reliability`.
        title: written above.

    Returns:
        A figure of matplotlib; write ``figure.savefig("reliability.png")``.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Cost: one drawing.

    Example:
        >>> import torch
        >>> from preimage.classify import reliability
        >>> claims = torch.tensor([[0.8, 0.2], [0.4, 0.6]])
        >>> len(plot_reliability(reliability(claims, torch.tensor([0, 1]))).axes)
        2
    """
    drawing = figure(4.6, 5.4)
    above, below = drawing.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    known = (found.count > 0).numpy()
    edges, share = found.edges.numpy(), (found.count / found.count.sum()).numpy()
    confidence, accuracy = found.confidence[known].numpy(), found.accuracy[known].numpy()
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1:] - edges[:-1]
    above.bar(middle[known], accuracy, width[known], color=BLUE, edgecolor="white", alpha=0.85)
    above.plot(confidence, accuracy, "o", color="black", markersize=3.5)
    above.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1.2)
    above.annotate("claims come true", (0.03, 0.07), rotation=42, color=GREY, fontsize=8)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right predictions")
    above.set_title(title or f"expected calibration error {found.error:.3f}", fontsize=10)
    below.bar(middle, share, width, color=GREY, edgecolor="white")
    below.set(ylabel="share of rows", xlabel="stated probability of the predicted class")
    return drawing
