"""Pictures side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.flows.report.figures import bare, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sheet(pictures: Tensor, columns: int = 8, gap: int = 1) -> np.ndarray:
    """Pictures as one array of pixels, row by row, white between them.

    Args:
        pictures: bytes ``(N, C, H, W)`` with one channel or three.
        columns: pictures beside each other.
        gap: pixels between two pictures.

    Returns:
        Array ``(H', W', 3)`` of uint8.

    Raises:
        ShapeError: they are no pictures.

    Example:
        >>> sheet(torch.zeros(5, 1, 4, 4, dtype=torch.uint8), columns=3).shape
        (9, 14, 3)
    """
    if pictures.dim() != 4 or pictures.shape[1] not in (1, 3) or not len(pictures):
        raise ShapeError(f"sheet: pictures are {tuple(pictures.shape)}, wanted (N, 1 or 3, H, W)")
    count, _, height, width = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    page = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for number, picture in enumerate(
        pictures.to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    ):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        page[top : top + height, left : left + width] = picture
    return page


@in_style
def sheets(parts: dict[str, Tensor], columns: int = 8) -> Figure:
    """Several sets of pictures beside each other, each under its name.

    Args:
        parts: bytes ``(N, C, H, W)`` by what they are, such as held-out pictures and samples.
        columns: pictures beside each other.

    Returns:
        A figure of matplotlib.

    Raises:
        ShapeError: they are no pictures.
        MissingExtraError: matplotlib is not installed.

    Cost: none to speak of.

    Example:
        >>> figure = sheets({"samples": torch.zeros(4, 1, 8, 8, dtype=torch.uint8)})
        >>> figure.axes[0].get_title(loc="left")
        'samples'
    """
    pages = {name: sheet(pictures, columns) for name, pictures in parts.items()}
    tall = max(page.shape[0] / page.shape[1] for page in pages.values())
    figure = new_figure(4.4 * len(pages), 4.4 * tall + 0.4)
    grid: Any = figure.subplots(1, len(pages), squeeze=False)
    for axes, (name, page) in zip(grid[0], pages.items(), strict=True):
        axes.imshow(page, interpolation="nearest")
        axes.set_title(name, loc="left")
        bare(axes)
    return figure
