"""Contact sheets and the strip that opens the README, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preimage.gallery.measure import Measurement
from preimage.gallery.records import ALL_MODES, Mode, Record
from preimage.gallery.text import percent
from preimage.zoo.reading import pillow

if TYPE_CHECKING:
    from PIL import Image, ImageFont

_PAPER, _INK, _SOFT, _FLAG = "#ffffff", "#1c1b19", "#6b675f", "#b3261e"
_FAILED = "the certificate failed: f(x) = y does not hold to the tolerance"
_COLOURS = {
    "data-free": "#c4591b",
    "calibrated": "#2468b2",
    "painted": "#b0418f",
    "refined": "#14804f",
    "shrink and enlarge": "#77736a",
}


def sheet(record: Record, measurement: Measurement, name: str, tile: int = 112) -> Image.Image:
    """One picture from every depth: a column per depth, a row per mode, numbers below each.

    Args:
        record: all numbers.
        measurement: the pictures.
        name: of the picture.
        tile: side of a small picture in pixels.

    Returns:
        A Pillow picture.
    """
    gap, label, head, foot = 6, 128, 30, 22
    step, row_height = tile + gap, tile + 36
    rows = (*record.modes, "shrink and enlarge")
    width = label + step * (len(record.depths) + 1) + gap
    canvas = _Canvas(width, head + row_height * len(rows) + foot)
    canvas.write(gap, head + row_height * len(rows) + 2, f"!  {_FAILED}", _FLAG)
    canvas.write(gap, 8, f"{name}, {record.network['name']}", _INK, 13)
    canvas.paste(measurement.originals[name], label, head, tile)
    canvas.write(label, head + tile + 3, "photograph", _INK)
    for i, depth in enumerate(record.depths):
        canvas.write(label + step * (i + 1), 10, depth.label, _INK)
    for j, row in enumerate(rows):
        canvas.write(gap, head + j * row_height + tile // 2 - 8, row, _COLOURS[row], 12)
        for i, depth in enumerate(record.depths):
            corner = (label + step * (i + 1), head + j * row_height)
            _tile(canvas, record, measurement, (name, depth.label, row), corner=corner, tile=tile)
    return canvas.picture


def strip(
    record: Record, measurement: Measurement, name: str, labels: Sequence[str], *, mode: Mode, tile: int = 224
) -> Image.Image:
    """A photograph and its ghosts at some depths, side by side.

    Args:
        record: all numbers.
        measurement: the pictures.
        name: of the picture.
        labels: depths, shallow to deep.
        mode: which answers to show.
        tile: side of each picture in pixels.

    Returns:
        A Pillow picture.
    """
    gap, foot = 8, 76
    canvas = _Canvas((tile + gap) * (len(labels) + 1) + gap, tile + 2 * gap + foot)
    canvas.paste(measurement.originals[name], gap, gap, tile)
    canvas.write(gap, tile + 2 * gap, "photograph", _INK, 17)
    for i, label in enumerate(labels):
        left = gap + (tile + gap) * (i + 1)
        _paste_ghost(canvas, measurement, (name, label, mode), (left, gap), tile)
        canvas.write(left, tile + 2 * gap, label, _INK, 17)
        words, _ = _caption(record, name, label, mode)
        canvas.write(
            left, tile + 2 * gap + 25, words.replace(" !", "").replace("feature", "features"), _SOFT, 14
        )
        canvas.write(left, tile + 2 * gap + 45, *_verdict(record, name, label, mode), 14)
    return canvas.picture


def _tile(
    canvas: _Canvas,
    record: Record,
    measurement: Measurement,
    key: tuple[str, str, str],
    *,
    corner: tuple[int, int],
    tile: int,
) -> None:
    left, top = corner
    _paste_ghost(canvas, measurement, key, corner, tile)
    words, colour = _caption(record, *key)
    for line, text in enumerate(words.split(", ")):
        canvas.write(left, top + tile + 2 + 14 * line, text, colour)


def _paste_ghost(
    canvas: _Canvas, measurement: Measurement, key: tuple[str, str, str], corner: tuple[int, int], tile: int
) -> None:
    picture = measurement.ghosts.get(key)
    if picture is not None:
        canvas.paste(picture, *corner, tile)


def _caption(record: Record, name: str, label: str, row: str) -> tuple[str, str]:
    """Both axes in words, and their colour: that of a warning where the certificate failed."""
    if row in ALL_MODES:
        cell = record.cell(name, label, row)
        score, failed = cell.score, not cell.converged
    else:
        score, failed = record.yardstick(name, label, row).score, False
    if score is None:
        return "no answer", _FLAG
    mark = " !" if failed else ""
    return f"{score.psnr:.1f} dB{mark}, feature {percent(score.feature_error)}", _FLAG if failed else _SOFT


def _verdict(record: Record, name: str, label: str, mode: Mode) -> tuple[str, str]:
    cell = record.cell(name, label, mode)
    words = "certified" if cell.converged else "not certified"
    return f"{words}, residual {cell.residual:.2g}", _SOFT if cell.converged else _FLAG


class _Canvas:
    """A white sheet to paste and write on."""

    def __init__(self, width: int, height: int) -> None:
        from PIL import ImageDraw

        self._image = pillow()
        self.picture = self._image.new("RGB", (width, height), _PAPER)
        self._draw = ImageDraw.Draw(self.picture)

    def paste(self, picture: NDArray[np.uint8], left: int, top: int, side: int) -> None:
        """Put a picture into a square place, keeping its aspect."""
        tile = self._image.fromarray(picture)
        scale = side / max(tile.size)
        size = (round(tile.width * scale), round(tile.height * scale))
        self.picture.paste(tile.resize(size, self._image.Resampling.LANCZOS), (left, top))

    def write(self, left: int, top: int, words: str, colour: str, size: int = 11) -> None:
        """Write one line."""
        self._draw.text((left, top), words, fill=colour, font=_font(size))


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
