"""Comparing two ledgers: two models, or one before and after training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from difflib import SequenceMatcher
from typing import Any

from preimage.inverse.reporting.ledger import Ledger, Row

NAMING = ("name", "operations", "kind", "depth")
SAME = 1e-3
"""Relative difference up to which two figures count as equal."""


@dataclass(frozen=True)
class Change:
    """One region that is not the same in both ledgers.

    Args:
        before, after: its rows; None on the side where it does not exist.
    """

    before: Row | None
    after: Row | None

    @property
    def fields(self) -> tuple[str, ...]:
        """What differs; empty where the region exists on one side only."""
        if self.before is None or self.after is None:
            return ()
        names = [f.name for f in fields(Row) if f.name not in NAMING]
        pairs = [(n, getattr(self.before, n), getattr(self.after, n)) for n in names]
        return tuple(name for name, old, new in pairs if not _equal(old, new))

    def __str__(self) -> str:
        row = self.before or self.after
        where = "" if row is None else f"{row.name or row.kind} ({row.operations})"
        if self.before is None or self.after is None:
            return f"{'+' if self.before is None else '-'} {where}"
        changes = (
            f"{n} {_word(getattr(self.before, n))} -> {_word(getattr(self.after, n))}" for n in self.fields
        )
        return f"~ {where}: {', '.join(changes)}"


@dataclass(frozen=True)
class LedgerDiff:
    """All changes between two ledgers, in forward order.

    Args:
        before, after: both ledgers.
        changes: regions that differ; ``+`` only after, ``-`` only before, ``~`` other figures.
    """

    before: Ledger
    after: Ledger
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "verdict": [self.before.verdict, self.after.verdict],
            "guarantee": [self.before.guarantee, self.after.guarantee],
            "changes": [
                {
                    "before": None if change.before is None else asdict(change.before),
                    "after": None if change.after is None else asdict(change.after),
                    "fields": list(change.fields),
                }
                for change in self.changes
            ],
        }

    def __str__(self) -> str:
        lines = [str(change) for change in self.changes] or ["no region differs"]
        if self.before.verdict != self.after.verdict:
            lines += ["", f"before: {self.before.verdict}", f"after:  {self.after.verdict}"]
        return "\n".join(lines)


def diff(before: Ledger, after: Ledger) -> LedgerDiff:
    """Match the regions of two ledgers by name and operations, in order, and compare their figures."""
    old, new = ([_key(row) for row in ledger.rows] for ledger in (before, after))
    found: list[Change] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += map(Change, before.rows[a:b], after.rows[c:d])
        else:
            found += [Change(row, None) for row in before.rows[a:b]]
            found += [Change(None, row) for row in after.rows[c:d]]
    return LedgerDiff(before, after, tuple(c for c in found if c.fields or None in (c.before, c.after)))


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in NAMING)


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= SAME * max(abs(old), abs(new))
    return old == new


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    return (
        f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )
