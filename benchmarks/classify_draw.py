"""The figures of benchmarks/classify_pictures.py."""

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from preimage.classify import Counterfactuals, GenerativeClassifier, kind_prototypes, reliability
from preimage.classify.calibration.plot import BLUE, GREY

ORANGE = "#d55e00"
ROWS = 12_000  # whose latents are averaged


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained", dpi=130)


def _picture(axes: Any, x: Tensor, title: str = "") -> None:
    axes.imshow(x.squeeze().clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=8)


def prototype_sheet(model: GenerativeClassifier, data: Any) -> Figure:
    """For every class: means of data and latents, kinds with the real picture nearest to each, draws."""
    classes = torch.arange(model.classes)
    means = torch.stack([data.train[data.labels.train == c].float().mean(0) / 255 for c in classes])
    x, labels = data.train[:ROWS], data.labels.train[:ROWS]
    one, three = (kind_prototypes(model, x, labels, kinds) for kinds in (1, 3))
    generator = torch.Generator().manual_seed(0)
    drawn = model.flow.tempered(0.4).sample(1, context=classes, generator=generator)[0].float() / 255
    rows = {
        "mean of\nthe data": means,
        "learnt mean,\ninverted": model.prototypes().x,
        "mean of latents,\ninverted": one.prototypes.x,
    }
    for kind in range(3):
        rows[f"kind {kind + 1},\ninverted"] = three.prototypes.x[kind::3]
        rows[f"nearest real\npicture to {kind + 1}"] = x[three.nearest[kind::3]].float() / 255
    rows["drawn at\ntemperature .4"] = drawn
    drawing = _figure(1.05 * model.classes + 1.2, 1.08 * len(rows) + 0.3)
    grid = drawing.subplots(len(rows), model.classes)
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=8.5, rotation=0, ha="right", va="center")
        for place, axes in enumerate(line):
            _picture(
                axes, pictures[place].detach(), model.class_names[place] if line[0] is grid[0][0] else ""
            )
    return drawing


def reliability_sheet(before: Tensor, after: Tensor, labels: Tensor) -> Figure:
    """Claims and what came true, before and after the temperature was fitted to other rows."""
    drawing = _figure(7.2, 3.8)
    titles = ("as trained", "temperature fitted on other rows")
    for axes, probability, title in zip(drawing.subplots(1, 2), (before, after), titles, strict=True):
        found = reliability(probability, labels)
        known = found.count >= 5
        axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1.2, label="claims come true")
        axes.plot(
            found.confidence[known].numpy(), found.accuracy[known].numpy(), "o-", color=BLUE, markersize=4
        )
        share = (found.count / found.count.sum()).numpy()
        edges = found.edges.numpy()
        axes.bar((edges[1:] + edges[:-1]) / 2, share, edges[1:] - edges[:-1], color=ORANGE, alpha=0.35)
        axes.annotate("share of rows", (0.5, 0.06), color=ORANGE, fontsize=8, ha="center")
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="stated probability", ylabel="share that is right")
        axes.set_title(f"{title}\ncalibration error {found.error:.3f}", fontsize=9)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    return drawing


def counterfactual_sheet(
    model: GenerativeClassifier, data: Any, rows: Tensor, found: Counterfactuals
) -> Figure:
    """Test pictures, what they become by the smallest move to another class, and the change."""
    drawing = _figure(1.3 * len(rows) + 0.6, 4.3)
    grid = drawing.subplots(3, len(rows))
    before = data.test[rows].float() / 255
    for place in range(len(rows)):
        own, new = model.class_names[data.labels.test[rows[place]]], model.class_names[found.labels[place]]
        _picture(grid[0, place], before[place], own)
        _picture(grid[1, place], found.x[place], f"as {new}\np = {found.probability[place]:.2f}")
        change = (found.x[place] - before[place]).squeeze().numpy()
        grid[2, place].imshow(change, cmap="PuOr", vmin=-0.5, vmax=0.5)
        grid[2, place].set(xticks=[], yticks=[])
    for line, name in zip(
        grid, ("test\npicture", "smallest\nmove", "change\n(brown: darker,\nviolet: brighter)"), strict=True
    ):
        line[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
    return drawing
