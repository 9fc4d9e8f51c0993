"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

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
<p class="big">$headline</p>
<p>$sentence</p>
$sections
<p class="note">$footer</p>
</body>
</html>
""")


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Args:
        heading: of the part.
        note: what it shows, in small print.
        content: HTML; a picture from :meth:`picture`, or a table from :func:`html_table`.
    """

    heading: str
    note: str
    content: str

    @classmethod
    def picture(cls, heading: str, note: str, path: Path) -> Section:
        """A part with a PNG inside the page."""
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return cls(heading, note, f'<img alt="{escape(heading)}" src="data:image/png;base64,{data}">')

    def html(self) -> str:
        """The part as HTML; heading and note are escaped."""
        note = f'<p class="note">{escape(self.note)}</p>\n' if self.note else ""
        return f"<h2>{escape(self.heading)}</h2>\n{note}{self.content}"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of words, escaped.

    Example:
        >>> html_table(["class"], [["<cat>"]])
        '<table><tr><th>class</th></tr><tr><td>&lt;cat&gt;</td></tr></table>'
    """
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def html_page(title: str, headline: str, sentence: str, sections: Iterable[Section], footer: str) -> str:
    """A whole page.

    Args:
        title: of the page.
        headline: its most important number.
        sentence: what that is worth.
        sections: the parts.
        footer: where it comes from.

    Returns:
        HTML that needs no other file; all words are escaped.

    Example:
        >>> "<title>preimage: a &amp; b</title>" in html_page("a & b", "99 %", "", [], "")
        True
    """
    return _PAGE.substitute(
        title=escape(title),
        headline=escape(headline),
        sentence=escape(sentence),
        sections="\n".join(section.html() for section in sections),
        footer=escape(footer),
    )
