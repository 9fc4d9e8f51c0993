"""The part of the page that shows one picture from every depth."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray

from preimage.gallery.measure import Measurement
from preimage.gallery.records import ALL_MODES, Cell, Depth, Record, Score
from preimage.gallery.text import decibels, duration, fraction, percent
from preimage.zoo.reading import pillow

# Row of a panel -> class of the style sheet.
STYLES = {
    "data-free": "free",
    "calibrated": "calibrated",
    "painted": "painted",
    "refined": "refined",
    "shrink and enlarge": "yardstick",
}


HEADINGS = {"painted": "painted (calibrated)"}
"""Headings that say more than the name of their row."""


def panel(record: Record, measurement: Measurement, name: str, start: int) -> str:
    """One picture: large at the chosen depth in every mode, small at all depths below.

    Args:
        record: all numbers.
        measurement: the pictures.
        name: of the picture.
        start: depth shown first.

    Returns:
        An HTML section.
    """
    original = measurement.originals[name]
    height, width = original.shape[:2]
    photograph = _image(_data_uri(original), name)
    figures = [_figure("photograph", "", photograph, "what the network was shown")]
    rows = (*record.modes, "shrink and enlarge")
    figures += [_answer(record, measurement, (name, record.depths[start], row)) for row in rows]
    strip = "".join(_strip_row(record, measurement, name, row) for row in rows)
    heads = "".join(_strip_head(depth, i) for i, depth in enumerate(record.depths))
    thumb = min(112, 1080 // len(record.depths))  # pixels, so that all depths fit on a wide screen
    style = f"--aspect: {width} / {height}; --thumb: {thumb}px; --figures: {len(rows) + 1}"
    return (
        f'<section class="picture" style="{style}">'
        f"<h2>{escape(name)}</h2>\n"
        f'<div class="stage">{"".join(figures)}</div>\n'
        f'<div class="strip"><table><thead><tr><td></td>{heads}</tr></thead>\n'
        f"<tbody>{strip}</tbody></table></div></section>"
    )


def where(depth: Depth) -> str:
    """A depth in words: label, shape and size relative to the input."""
    shape = " × ".join(map(str, depth.shape))
    return f"<b>{escape(depth.label)}</b> · {shape} numbers, {depth.ratio:.3g} times the input"


Place = tuple[str, Depth, str]  # picture, depth, row


def _answer(record: Record, measurement: Measurement, place: Place) -> str:
    _, _, row = place
    return _figure(
        HEADINGS.get(row, row), STYLES[row], _ghost(measurement, place), _detail(record, place), row
    )


def _figure(heading: str, style: str, image: str, words: str, row: str = "") -> str:
    mark = f' data-row="{escape(row)}"' if row else ""
    caption = f'<span class="mode">{escape(heading)}</span><span class="numbers">{words}</span>'
    return f'<figure class="{style}"{mark}>{image}<figcaption>{caption}</figcaption></figure>\n'


def _strip_head(depth: Depth, index: int) -> str:
    words = escape(where(depth))
    return f'<th scope="col" data-depth="{index}" data-where="{words}">{escape(depth.label)}</th>'


def _strip_row(record: Record, measurement: Measurement, name: str, row: str) -> str:
    places = [(name, depth, row) for depth in record.depths]
    cells = "".join(_strip_cell(record, measurement, place, i) for i, place in enumerate(places))
    return f'<tr><th scope="row" class="mode {STYLES[row]}">{row.split(maxsplit=1)[0]}</th>{cells}</tr>\n'


def _strip_cell(record: Record, measurement: Measurement, place: Place, index: int) -> str:
    score, cell = _found(record, place)
    flag = ' <span class="flag">⚑</span>' if cell is not None and not cell.converged else ""
    short = f"{score.psnr:.1f}{flag}" if score else f"–{flag}"
    detail = f'<div class="detail">{_detail(record, place)}</div>'
    mark = f'data-row="{escape(place[2])}" data-depth="{index}"'
    return f"<td {mark}>{_ghost(measurement, place)}{short}{detail}</td>\n"


def _found(record: Record, place: Place) -> tuple[Score | None, Cell | None]:
    name, depth, row = place
    if row in ALL_MODES:
        cell = record.cell(name, depth.label, row)
        return cell.score, cell
    return record.yardstick(name, depth.label, row).score, None


def _ghost(measurement: Measurement, place: Place) -> str:
    name, depth, row = place
    picture = measurement.ghosts.get((name, depth.label, row))
    uri = _BLANK if picture is None else _data_uri(picture)
    return _image(uri, f"{name} from {depth.label}, {row}")


def _detail(record: Record, place: Place) -> str:
    """Numbers under one reconstruction, with the certificate's verdict."""
    score, cell = _found(record, place)
    lines = [_scores(score)] if score else [f'<span class="refused">{escape(_reason(cell))}</span>']
    if cell is not None:
        lines.append(_verdict(cell))
    return "<br>".join(lines)


def _reason(cell: Cell | None) -> str:
    return cell.message if cell is not None and cell.message else "no finite answer"


def _scores(score: Score) -> str:
    away = "" if score.picture_error is None else f"picture error {percent(score.picture_error)}<br>"
    return (
        f'<span class="big">{decibels(score.psnr)}</span> · SSIM {fraction(score.ssim)}<br>{away}'
        f"feature error {percent(score.feature_error)}"
    )


def _verdict(cell: Cell) -> str:
    time = f'<span class="fine">{duration(cell.milliseconds)}</span>'
    if cell.converged:
        return f'<span class="fine">✓ residual {cell.residual:.2g}</span> · {time}'
    words = escape(f"relative residual {cell.residual:.1e}. {cell.message}")
    return f'<span class="flag" title="{words}">⚑ residual {cell.residual:.2g}</span> · {time}'


def _image(uri: str, words: str) -> str:
    return f'<img alt="{escape(words)}" src="{uri}">'


def _data_uri(picture: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    pillow().fromarray(picture).save(stream, "WEBP", quality=90, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


# One transparent pixel, for an inverse that gave no answer.
_BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
