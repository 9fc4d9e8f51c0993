"""Numbers as people read them."""

from __future__ import annotations

import math


def decibels(value: float | None) -> str:
    """``31.3 dB``; a dash when there is no number.

    Example:
        >>> decibels(31.26), decibels(None)
        ('31.3 dB', '–')
    """
    return "–" if _absent(value) else f"{value:.1f} dB"


def percent(value: float | None) -> str:
    """Percent with two to three digits, powers of ten when tiny.

    Example:
        >>> percent(0.356), percent(1.8), percent(2e-7)
        ('36 %', '180 %', '2e-05 %')
    """
    if value is None or _absent(value):
        return "–"
    points = 100 * value
    if points >= 9.95:
        return f"{points:.0f} %" if points < 1e4 else f"{points:.0e} %"
    return f"{points:.1f} %" if points >= 0.1 or points == 0 else f"{points:.0e} %"


def duration(milliseconds: float | None) -> str:
    """Milliseconds below a second, seconds above.

    Example:
        >>> duration(3.51), duration(431.0), duration(2600.0)
        ('3.5 ms', '431 ms', '2.6 s')
    """
    if milliseconds is None or _absent(milliseconds):
        return "–"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def fraction(value: float | None) -> str:
    """A number between 0 and 1, two decimals.

    Example:
        >>> fraction(0.871)
        '0.87'
    """
    return "–" if _absent(value) else f"{value:.2f}"


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)
