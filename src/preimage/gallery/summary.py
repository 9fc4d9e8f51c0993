"""The means over the pictures as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preimage.gallery.records import Mode, Record
from preimage.gallery.text import percent


def summary(record: Record) -> str:
    """One line per depth: PSNR and feature error of every mode, and the yardstick beside them.

    Args:
        record: all numbers.

    Returns:
        Lines of text; an exclamation mark follows a mean over answers of which some failed their certificate.
    """
    head = ["depth", "numbers", *(f"{mode}: dB, features" for mode in record.modes), "shrink", "mean colour"]
    table = [head, *(_row(row, record.modes) for row in record.summary())]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join([*lines, "", "!  some certificates failed: f(x) = y does not hold to the tolerance"])


def _row(row: Mapping[str, Any], modes: tuple[Mode, ...]) -> list[str]:
    cells = [row["tap"], f"{row['ratio']:.3g} x"]
    for mode in modes:
        found = row[mode]
        flag = " " if found["converged"] == found["pictures"] else "!"
        cells.append(f"{_decibels(found)} {percent(found['feature_error']):>8} {flag}")
    return [*cells, _decibels(row["shrink and enlarge"]), _decibels(row["mean colour"])]


def _decibels(found: Mapping[str, Any]) -> str:
    return "–" if found["psnr"] is None else f"{found['psnr']:.1f}"
