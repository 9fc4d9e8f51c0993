"""A report: what was trained, how well, and figures; as HTML, as JSON and as pictures."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from preimage.errors import OutputError
from preimage.flows.report.figures import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "preimage.flow_report/1"
PAGE, NUMBERS, PLOTS = "report.html", "report.json", "plots"


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure with what a reader should see in it.

    Args:
        title: of its section.
        text: how to read it, a sentence or two.
        figure: of matplotlib.
    """

    title: str
    text: str
    figure: Figure


@dataclass(frozen=True, eq=False)
class Report:
    """Numbers and figures about one trained flow.

    Args:
        title: of the page.
        lead: the result in a sentence.
        facts: what stands at the top: values by what they are.
        numbers: everything measured, as JSON can hold it.
        plots: by the name of their file, in the order of the page.
    """

    title: str
    lead: str
    facts: Mapping[str, str]
    numbers: Mapping[str, Any]
    plots: Mapping[str, Plot] = field(default_factory=dict)

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html``, ``report.json`` and ``plots/*.png`` into a folder.

        Returns:
            The page; it needs nothing but itself.

        Raises:
            OutputError: the folder cannot be written.
        """
        target = Path(folder)
        pictures = {name: png(plot.figure) for name, plot in self.plots.items()}
        try:
            (target / PLOTS).mkdir(parents=True, exist_ok=True)
            for name, picture in pictures.items():
                (target / PLOTS / f"{name}.png").write_bytes(picture)
            (target / NUMBERS).write_text(self._json(), encoding="utf-8")
            (target / PAGE).write_text(self.page(pictures), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write to {target}: {error.strerror}; choose another place") from error
        return target / PAGE

    def page(self, pictures: Mapping[str, bytes] | None = None) -> str:
        """The report as one HTML file, with its pictures inside."""
        known = (
            {name: png(plot.figure) for name, plot in self.plots.items()} if pictures is None else pictures
        )
        values = {
            "title": escape(self.title),
            "lead": escape(self.lead),
            "style": _asset("report.css"),
            "facts": "".join(
                f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in self.facts.items()
            ),
            "plots": "\n".join(_section(plot, known[name]) for name, plot in self.plots.items()),
            "numbers": escape(self._json()),
        }
        return Template(_asset("report.html")).substitute(values)

    def _json(self) -> str:
        numbers = {"schema": SCHEMA, "title": self.title} | dict(self.numbers)
        return json.dumps(_plain(numbers), indent=1, allow_nan=False) + "\n"


def _section(plot: Plot, picture: bytes) -> str:
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    title, text = escape(plot.title), escape(plot.text)
    return f'<section><h2>{title}</h2><p>{text}</p><img alt="{title}" src="{source}"></section>'


def _plain(value: Any) -> Any:
    """What JSON can hold; numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _asset(name: str) -> str:
    return (files("preimage.flows.report") / "assets" / name).read_text(encoding="utf-8")
