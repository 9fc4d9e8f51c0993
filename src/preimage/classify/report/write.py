"""The report on pictures as a folder: figures, numbers, one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from preimage.classify.calibration import plot_reliability, reliability
from preimage.classify.drawing import figure
from preimage.classify.report.page import Section, html_page, html_table
from preimage.classify.report.report import PictureReport


def write_picture_report(report: PictureReport, folder: str | Path) -> Path:
    """Write ``index.html``, its figures as PNG, and ``report.json`` into a folder.

    Args:
        report: from :func:`report_pictures`.
        folder: made where it is absent.

    Returns:
        The path of the page, which needs no other file.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Cost: some seconds.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    drawings = {
        "prototypes": prototype_figure(report),
        "confusions": confusion_figure(report),
        "reliability": plot_reliability(reliability(report.probabilities, report.labels)),
    }
    for name, drawing in drawings.items():
        drawing.savefig(place / f"{name}.png")
    (place / "report.json").write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    target = place / "index.html"
    target.write_text(_page(report, place), encoding="utf-8")
    return target


def prototype_figure(report: PictureReport) -> Any:
    """Every class in a column: the mean of its pictures, its inverted mean, its kinds and real pictures."""
    count = len(report.classes)
    kinds = len(report.kinds.share) // count
    rows = {"mean of\nthe pictures": report.means, "class mean,\ninverted": report.prototypes.x}
    for kind in range(kinds):
        rows[f"kind {kind + 1},\ninverted"] = report.kinds.prototypes.x[kind::kinds]
        rows[f"real picture\nnearest to {kind + 1}"] = report.members[kind::kinds]
    drawing = figure(1.1 * count + 1.1, 1.1 * len(rows) + 0.4)
    grid = drawing.subplots(len(rows), count, squeeze=False)
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
        for axes, picture in zip(line, pictures, strict=True):
            _show(axes, picture.detach().cpu())
    for axes, name in zip(grid[0], report.classes, strict=True):
        axes.set_title(name[:18], fontsize=8)
    return drawing


def confusion_figure(report: PictureReport) -> Any:
    """How many pictures of every class were taken for which."""
    table, count = report.confusions(), len(report.classes)
    shares = table / table.sum(1, keepdim=True).clamp_min(1)
    drawing = figure(1.6 + 0.55 * count, 1.4 + 0.5 * count)
    axes = drawing.subplots()
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1.25)
    for row in range(count):
        for column in range(count):
            shade = "white" if shares[row, column] > 0.6 else "black"
            number = int(table[row, column])
            axes.text(column, row, str(number) if number else "", ha="center", va="center", color=shade)
    axes.set(xticks=range(count), yticks=range(count), xlabel="predicted", ylabel="true")
    names = [name[:18] for name in report.classes]
    axes.set_xticklabels(names, rotation=45, ha="right", fontsize=8)
    axes.set_yticklabels(names, fontsize=8)
    return drawing


def _show(axes: Any, picture: Tensor) -> None:
    """One picture ``(C, H, W)``: grey, in colour, or its first channel."""
    values = picture.clamp(0, 1)
    image = values.permute(1, 2, 0) if len(values) == 3 else values[0]
    axes.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])


def _page(report: PictureReport, place: Path) -> str:
    residual, share = report.prototypes.certificate.residual.tolist(), report.prototypes.probability.tolist()
    errors = [[n, f"{e:.1e}", f"{p:.3f}"] for n, e, p in zip(report.classes, residual, share, strict=True)]
    sections = [
        Section.picture(
            "What every class looks like",
            "Inverted class means are what the classifier aims at; kinds are groups of its latents, the most"
            " frequent first, with the real picture that is nearest to each.",
            place / "prototypes.png",
        ),
        Section.picture("What is taken for what", "Held-out pictures.", place / "confusions.png"),
        Section.picture(
            "Are the probabilities true?",
            "Stated probability against the share that is right.",
            place / "reliability.png",
        ),
        Section(
            "How sure the inverse is",
            "Every prototype was sent through the network again; relative distance from the class mean.",
            html_table(["class", "error", "probability of the class"], errors),
        ),
    ]
    title = f"What {' and '.join(report.classes)} look like"
    headline = f"{100 * report.accuracy.value:.1f} % accuracy"
    return html_page(title, headline, report.sentence(), sections, f"Model: {report.model}.")
