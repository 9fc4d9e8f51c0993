"""The table of means over the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from preimage.gallery.panels import STYLES
from preimage.gallery.records import Mode, Record
from preimage.gallery.text import decibels, duration, percent

_COLUMNS = ("PSNR", "features", "✓", "time")


def numbers(record: Record) -> str:
    """One row per depth: every mode, then the yardsticks.

    Args:
        record: all numbers.

    Returns:
        An HTML table.
    """
    groups = "".join(
        f'<th class="group mode {STYLES[mode]}" colspan="{len(_COLUMNS)}">{mode}</th>'
        for mode in record.modes
    )
    columns = f'<th class="first">{_COLUMNS[0]}</th>' + "".join(f"<th>{c}</th>" for c in _COLUMNS[1:])
    body = "\n".join(_row(row, record.modes) for row in record.summary())
    return (
        f'<div class="wide"><table class="data"><thead><tr><th colspan="2"></th>{groups}'
        '<th class="group">shrink</th><th class="group">mean</th></tr>\n'
        f"<tr><th>depth</th><th>numbers</th>{columns * len(record.modes)}"
        '<th class="first">PSNR</th><th class="first">PSNR</th></tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Mapping[str, Any], modes: tuple[Mode, ...]) -> str:
    cells = [f"<td>{escape(row['tap'])}</td><td>{row['ratio']:.3g} ×</td>"]
    cells += [_mode_cells(row[mode]) for mode in modes]
    cells += [
        f'<td class="first">{decibels(row[kind]["psnr"])}</td>'
        for kind in ("shrink and enlarge", "mean colour")
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _mode_cells(found: Mapping[str, Any]) -> str:
    flag = "" if found["converged"] == found["pictures"] else ' <span class="flag">⚑</span>'
    return (
        f'<td class="first">{decibels(found["psnr"])}{flag}</td><td>{percent(found["feature_error"])}</td>'
        f"<td>{found['converged']} of {found['pictures']}</td>"
        f"<td>{duration(found['milliseconds'])}</td>"
    )
