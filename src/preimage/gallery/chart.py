"""Depth curves as inline SVG that follows the page's colours."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 104, 34, 62


@dataclass(frozen=True, eq=False)
class Line:
    """One curve.

    Args:
        label: written at its right end.
        style: class of the style sheet.
        values: one per depth; None leaves a gap.
        failed: depths whose certificates failed; drawn hollow.
    """

    label: str
    style: str
    values: Sequence[float | None]
    failed: frozenset[int] = frozenset()


def depth_chart(title: str, depths: Sequence[str], lines: Sequence[Line], logarithmic: bool = False) -> str:
    """An SVG element with one curve per line over the depths.

    Args:
        title: what is plotted, with its unit.
        depths: labels of the horizontal axis.
        lines: the curves.
        logarithmic: powers of ten on the vertical axis.

    Returns:
        The element as text; needs no file and no network.

    Cost: none to speak of.

    Example:
        >>> depth_chart("dB", ["stem", "head"], [Line("ours", "free", [60.0, 12.0])]).count("<circle")
        2
    """
    scale = math.log10 if logarithmic else float
    known = [scale(v) for line in lines for v in line.values if v is not None and v > 0]
    ticks = _powers(known) if logarithmic else _round_steps(known)
    low, high = ticks[0], ticks[-1]

    def height(value: float) -> float:
        share = (scale(value) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    across = _across(len(depths))
    body = [f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>']
    body += [_tick(tick, height, logarithmic) for tick in ticks]
    body += [_depth_label(x, label, i) for i, (x, label) in enumerate(zip(across, depths, strict=True))]
    body.append(_marker(across))
    body += [_curve(line, across, height) for line in lines]
    body += _end_labels(lines, height)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(body)}</svg>'
    )


def _across(count: int) -> list[float]:
    room = _WIDTH - _LEFT - _RIGHT
    return [round(_LEFT + room * (i / max(1, count - 1)), 1) for i in range(count)]


def _round_steps(values: Sequence[float]) -> list[float]:
    """Multiples of 10 that contain the values."""
    low = math.floor(min(values, default=0) / 10) * 10
    high = max(math.ceil(max(values, default=10) / 10) * 10, low + 10)
    return [float(v) for v in range(low, high + 1, 10)]


def _powers(values: Sequence[float]) -> list[float]:
    """Whole exponents that contain the values, at most eight of them."""
    low, high = math.floor(min(values, default=-1)), math.ceil(max(values, default=0))
    high = max(high, low + 1)
    step = max(1, math.ceil((high - low) / 7))
    return [float(v) for v in range(low, high + step, step)]


def _tick(tick: float, height: Callable[[float], float], logarithmic: bool) -> str:
    y = height(10**tick if logarithmic else tick)
    label = f"{100 * 10**tick:g} %" if logarithmic else f"{tick:g}"
    grid = f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{grid}<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'


def _depth_label(x: float, label: str, depth: int) -> str:
    y = _HEIGHT - _BOTTOM + 16
    turned = f'transform="rotate(-45 {x} {y})" text-anchor="end"'
    return f'<text data-depth="{depth}" x="{x}" y="{y}" {turned}>{escape(label)}</text>'


def _marker(across: Sequence[float]) -> str:
    place = f'x1="{across[0]}" x2="{across[0]}" y1="{_TOP - 8}" y2="{_HEIGHT - _BOTTOM}"'
    return f'<line class="marker" {place} data-x="{escape(json.dumps(across))}"/>'


def _curve(line: Line, across: Sequence[float], height: Callable[[float], float]) -> str:
    values = zip(across, line.values, strict=True)
    points = [(x, height(v), i) for i, (x, v) in enumerate(values) if v is not None and _drawable(v)]
    path = " ".join(f"{x},{y:.1f}" for x, y, _ in points)
    drawn = f'<polyline class="{line.style}" points="{path}"/>'
    if line.style in ("yardstick", "flat"):
        return drawn
    return drawn + "".join(
        f'<circle class="{line.style}{" failed" if i in line.failed else ""}" cx="{x}" cy="{y:.1f}" r="3"/>'
        for x, y, i in points
    )


def _drawable(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _end_labels(lines: Sequence[Line], height: Callable[[float], float]) -> list[str]:
    """Labels at the right end, pushed apart where they would overlap."""
    known = {line: [v for v in line.values if v is not None and _drawable(v)] for line in lines}
    ends = [(height(values[-1]), line) for line, values in known.items() if values]
    written, last = [], -99.0
    for y, line in sorted(ends, key=lambda end: end[0]):
        last = max(y + 4, last + 14)
        place = f'x="{_WIDTH - _RIGHT + 8}" y="{last:.1f}"'
        written.append(f'<text class="{line.style}" {place}>{escape(line.label)}</text>')
    return written
