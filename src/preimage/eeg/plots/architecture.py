"""The stages of an EEG-InvNet as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from preimage.eeg.plots.style import bare, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STAGE, _BLOCK, _HAAR = "#DCE9F5", "#0072B2", "#E69F00"


def plot_architecture(channels: int = 21, times: int = 128, stages: int = 3, blocks: int = 4) -> Figure:
    """Stages, sizes and blocks of an EEG-InvNet, from the recording to the latent.

    Args:
        channels: C.
        times: T.
        stages: number of time scales.
        blocks: blocks in a stage.

    Returns:
        A figure of matplotlib.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Cost: none to speak of.
    """
    drawing = figure(2.2 + 2.75 * stages, 3.6)
    axes = drawing.add_axes((0.005, 0.02, 0.99, 0.96))
    bare(axes)
    axes.set(xlim=(-1.0, 2.75 * stages + 1.2), ylim=(-0.55, 3.1))
    _box(axes, -0.92, 0.9, 0.95, 1.1, "white", f"x\n{channels} × {times}")
    for number in range(1, stages + 1):
        _stage(
            axes, 2.75 * (number - 1) + 0.3, number, f"{channels * 2**number} × {times // 2**number}", blocks
        )
    end = 2.75 * stages + 0.2
    _arrow(axes, end - 0.25, end)
    _box(axes, end, 0.9, 0.95, 1.1, "white", f"z\n{channels} × {times}")
    axes.text(
        2.75 * stages / 2 + 0.1,
        -0.4,
        "invertible: the arrows can be followed backwards",
        ha="center",
        fontsize=9,
        style="italic",
    )
    return drawing


def _stage(axes: Any, left: float, number: int, size: str, blocks: int) -> None:
    _arrow(axes, left - 0.27, left)
    _box(axes, left, 0.0, 2.25, 2.9, _STAGE, "")
    axes.text(left + 1.12, 2.62, f"stage {number}: {size}", ha="center", fontsize=9, weight="bold")
    times = f"{number} ×" if number > 1 else ""
    _box(axes, left + 0.12, 0.5, 0.42, 1.7, _HAAR, f"{times} Haar".strip(), upright=True)
    height = 1.9 / blocks
    for block in range(blocks):
        bottom = 0.4 + (blocks - 1 - block) * height
        _box(axes, left + 0.66, bottom, 0.93, height * 0.82, _BLOCK, f"block {block + 1}", colour="white")
    _box(axes, left + 1.71, 0.5, 0.42, 1.7, _HAAR, f"{times} Haar⁻¹".strip(), upright=True)
    axes.text(left + 1.12, 0.12, "ActNorm, 1×1, coupling", ha="center", fontsize=7.5)


def _box(
    axes: Any,
    left: float,
    bottom: float,
    width: float,
    height: float,
    face: str,
    text: str,
    colour: str = "black",
    upright: bool = False,
) -> None:
    from matplotlib.patches import FancyBboxPatch

    patch = FancyBboxPatch(
        (left, bottom),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=face,
        edgecolor="#444444",
    )
    axes.add_patch(patch)
    angle = 90 if upright else 0
    centre = left + width / 2, bottom + height / 2
    axes.text(*centre, text, ha="center", va="center", fontsize=8.5, color=colour, rotation=angle)


def _arrow(axes: Any, start: float, end: float) -> None:
    axes.annotate("", (end, 1.45), (start, 1.45), arrowprops={"arrowstyle": "->", "linewidth": 1.4})
