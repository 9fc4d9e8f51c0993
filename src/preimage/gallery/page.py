"""The gallery as one HTML file that needs nothing else: styles, script and pictures are inside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from preimage.gallery.chart import Line, depth_chart
from preimage.gallery.measure import Measurement
from preimage.gallery.panels import STYLES, panel, where
from preimage.gallery.records import Mode, Record
from preimage.gallery.table import numbers


def page(record: Record, measurement: Measurement) -> str:
    """The whole gallery as HTML.

    Args:
        record: all numbers.
        measurement: the pictures.

    Returns:
        The text of ``index.html``; it opens without a network, in light and dark.

    Cost: one picture encoding per reconstruction.
    """
    start = min(3, len(record.depths) - 1)
    panels = [panel(record, measurement, name, start) for name in record.pictures]
    network = escape(str(record.network["name"]))
    values = {
        "title": f"preimage: what {network} remembers",
        "heading": f"What {network} remembers",
        "count": _count(record.pictures),
        "Count": _count(record.pictures).capitalize(),
        "depths": len(record.depths),
        "ways": {3: "three", 4: "four"}[len(record.modes)],
        "painted": _PAINTED if "painted" in record.modes else "",
        "last": len(record.depths) - 1,
        "start": start,
        "where": where(record.depths[start]),
        "pictures": "\n".join(panels),
        "charts": "".join(_charts(record)),
        "numbers": numbers(record),
        "ledger": f"<pre>{escape(record.ledger_text)}</pre>",
        "calibrated_on": escape(_calibrated_on(record)),
        "made_by": escape(", ".join(f"{name} {value}" for name, value in record.environment.items())),
        "style": _asset("page.css"),
        "script": _asset("page.js"),
    }
    return Template(_asset("page.html")).substitute(values)


_PAINTED = """<dt>painted</dt><dd>Calibrated too, by a picture prior: a small network that was trained on
other photographs to paint the mean of all pictures with these features. What the features do not tell comes
out smooth.</dd>"""


def _asset(name: str) -> str:
    return (files("preimage.gallery") / "assets" / name).read_text(encoding="utf-8")


def _count(pictures: tuple[str, ...]) -> str:
    return "one picture" if len(pictures) == 1 else f"{len(pictures)} pictures"


def _calibrated_on(record: Record) -> str:
    names = record.calibration.get("pictures", ())
    return f"{len(names)} photographs ({', '.join(names)})" if names else "none were given"


def _charts(record: Record) -> Iterable[str]:
    labels = [depth.label for depth in record.depths]
    rows, modes = record.summary(), record.modes
    lines = (*_mode_lines(rows, modes, "psnr"), *_yardstick_lines(rows, "psnr"))
    decibels = [_capped(line) for line in lines]
    yield depth_chart(f"PSNR, dB (above {_CAP:.0f} drawn at {_CAP:.0f})", labels, decibels)
    errors = [*_mode_lines(rows, modes, "feature_error"), *_yardstick_lines(rows, "feature_error")]
    yield depth_chart("feature error", labels, errors, logarithmic=True)


# Above this, no eye and no 8-bit picture can tell the difference; the curve needs the room below.
_CAP = 60.0


def _capped(line: Line) -> Line:
    return replace(line, values=[None if value is None else min(value, _CAP) for value in line.values])


def _mode_lines(rows: list[dict[str, Any]], modes: tuple[Mode, ...], measure: str) -> list[Line]:
    return [
        Line(
            mode,
            STYLES[mode],
            [row[mode][measure] for row in rows],
            frozenset(i for i, row in enumerate(rows) if row[mode]["converged"] < row[mode]["pictures"]),
        )
        for mode in modes
    ]


def _yardstick_lines(rows: list[dict[str, Any]], measure: str) -> list[Line]:
    return [
        Line(label, style, [row[kind][measure] for row in rows])
        for kind, label, style in (
            ("shrink and enlarge", "shrink, enlarge", "yardstick"),
            ("mean colour", "mean colour", "flat"),
        )
    ]
