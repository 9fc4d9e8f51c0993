"""The ledger as one HTML page of its own."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from preimage.inverse.reporting.ledger import TITLES, Ledger, Row, cells

HELP = {
    "in": "numbers per sample that go in",
    "out": "numbers per sample that come out",
    "of input": "numbers that come out, relative to the network's input",
    "inverse": "what the inverse of this region promises",
    "rank": "rank of its linear part",
    "eff. rank": "directions that share the energy of its linear part; an estimate",
    "condition": "largest over smallest singular value that is not zero",
    "lost": "dimension of the null space of its linear part",
    "evidence": "certified: from a complete factorisation; each call: the certificate of every answer says",
}
MEANINGS = {
    "exact": "both round trips hold",
    "left": "nothing is lost",
    "certified": "exact where the certificate of the call says so",
    "iterative": "solved numerically, with a certificate",
    "right": "gives a preimage; the rest is lost",
    "estimate": "information is lost; both round trips are approximate",
    "opaque": "no rule; solved numerically, with a certificate",
}
NUMBERS = range(2, 10)
"""Columns that hold figures."""


def page(ledger: Ledger, extra: str = "") -> str:
    """One self-contained page.

    Args:
        ledger: the table.
        extra: HTML that follows it, such as the round trips.
    """
    asset = files("preimage.inverse.reporting") / "assets"
    largest = max((max(row.inputs, row.outputs) for row in ledger.rows), default=1)
    values = {
        "style": (asset / "ledger.css").read_text(encoding="utf-8"),
        "verdict": escape(ledger.verdict),
        "cards": "".join(_card(*pair) for pair in _figures(ledger)),
        "head": "".join(_title(title, column) for column, title in enumerate(TITLES)),
        "body": "".join(_row(row, largest) for row in ledger.rows),
        "legend": "".join(_meaning(word, text) for word, text in MEANINGS.items()),
        "extra": extra,
    }
    return Template((asset / "ledger.html").read_text(encoding="utf-8")).substitute(values)


def _figures(ledger: Ledger) -> list[tuple[str, str]]:
    narrow = ledger.narrowest
    found = [
        ("input", f"{ledger.input_size:,} numbers"),
        ("output", f"{ledger.output_size:,} numbers"),
        ("whole inverse", ledger.guarantee),
    ]
    if narrow is not None:
        found.append(("narrowest place", f"{narrow.name or narrow.kind}: {narrow.remain:,} numbers"))
    if ledger.losses:
        worst = ledger.losses[0]
        found.append(("most forgetful", f"{worst.name or worst.kind}: {worst.loses:,} numbers"))
    return found


def _card(title: str, text: str) -> str:
    return f"<div><dt>{escape(title)}</dt><dd>{escape(text)}</dd></div>"


def _title(title: str, column: int) -> str:
    hint = f' title="{escape(HELP[title])}"' if title in HELP else ""
    kind = ' class="number"' if column in NUMBERS and title != "inverse" else ""
    return f'<th scope="col"{kind}{hint}>{escape(title)}</th>'


def _row(row: Row, largest: int) -> str:
    found = cells(row)
    name = f'<th scope="row">{_breakable(found[0].strip())}{_bar(row, largest)}</th>'
    parts = [_cell(text, column) for column, text in enumerate(found) if column]
    return f'<tr class="depth{row.depth}">{name}{"".join(parts)}</tr>'


def _cell(text: str, column: int) -> str:
    if TITLES[column] == "inverse":
        return f'<td><span class="badge {escape(text)}">{escape(text)}</span></td>'
    kind = ' class="number"' if column in NUMBERS else ""
    return f"<td{kind}>{_breakable(text) if column == 1 else escape(text)}</td>"


def _breakable(text: str) -> str:
    """Names may break after dots and plus signs, and before underscores."""
    return escape(text).replace("+", "+<wbr>").replace(".", ".<wbr>").replace("_", "<wbr>_")


def _bar(row: Row, largest: int) -> str:
    """The numbers that come out as a bar; the table says the same in figures."""
    return f'<i aria-hidden="true" style="width:{100 * row.outputs / max(1, largest):.2f}%"></i>'


def _meaning(word: str, text: str) -> str:
    return f'<li><span class="badge {word}">{word}</span> {escape(text)}</li>'
