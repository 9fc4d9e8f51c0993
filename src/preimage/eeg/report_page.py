"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preimage.eeg.report import PrototypeReport

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>preimage: $title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; background: white; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem; }
.big { font-size: 2.4rem; font-weight: 600; margin: 0; color: #0072B2; }
img { max-width: 100%; display: block; background: white; }
table { border-collapse: collapse; }
td, th { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }
.note { color: #555; } code { font-size: .9em; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="big">$accuracy</p>
<p>$sentence</p>
$figures
<h2>Electrodes without a clear prototype</h2>
<p class="note">A class can need several electrodes at once, or ignore this one.</p>
<table><tr><th>class</th><th>electrodes</th></tr>$unclear</table>
<h2>How sure the inverse is</h2>
<p class="note">Every prototype was sent through the network again; relative distance from the class mean.</p>
<table><tr><th>class</th><th>error</th><th>probability of the class</th></tr>$errors</table>
<p class="note">Model: <code>$model</code>. $channels channels at $rate Hz, in $unit.</p>
</body>
</html>
""")


def page(report: PrototypeReport, figures: Sequence[tuple[str, str, Path]]) -> str:
    """The whole report as HTML: figures inside, names of classes and channels escaped."""
    certificate, share = report.prototypes.certificate, report.prototypes.probability
    rows = zip(report.classes, certificate.residual.tolist(), share.tolist(), strict=True)
    unclear = report.without_clear_prototype()
    return _PAGE.substitute(
        title=escape(f"What {' and '.join(report.classes)} look like"),
        accuracy=f"{100 * report.accuracy.value:.1f} % accuracy",
        sentence=escape(report.sentence()),
        figures="\n".join(_figure(*figure) for figure in figures),
        unclear="".join(_row(name, ", ".join(found) or "none") for name, found in unclear.items()),
        errors="".join(_row(name, f"{error:.1e}", f"{probability:.3f}") for name, error, probability in rows),
        model=escape(report.model),
        channels=len(report.channels),
        rate=f"{report.rate:g}",
        unit=escape(report.unit),
    )


def _figure(heading: str, text: str, path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    picture = f'<img alt="{escape(heading)}" src="data:image/png;base64,{content}">'
    return f'<h2>{escape(heading)}</h2>\n<p class="note">{escape(text)}</p>\n{picture}'


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
