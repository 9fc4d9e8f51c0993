"""The ledger: for every region of a network its dimensions, rank, conditioning and promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from preimage.inverse.planning.guarantee import Guarantee

if TYPE_CHECKING:
    from preimage.inverse.reporting.ledger_diff import LedgerDiff


@dataclass(frozen=True)
class Row:
    """One region of the ledger.

    Args:
        name: module path.
        operations: its operations.
        kind: affine, saturation, residual, opaque, or the operation.
        inputs, outputs: numbers per sample before and after.
        ratio: outputs relative to the numbers in the network's input.
        guarantee: what its inverse promises.
        rank: rank of its linear part, None where it has none or it is not known.
        condition: condition number of its linear part, None likewise.
        nullity: inputs that its linear part forgets, None likewise.
        certified: whether rank and condition come from a complete factorisation.
        depth: 0 for a step of the way back, 1 for a part of the step above it.
        effective_rank: how many directions share the energy of its linear part, always an estimate; see
            :func:`preimage.inverse.reporting.effective_rank.effective_rank`.
        bottleneck: whether everything that the known values tell of the input goes through here. What one of
            several branches forgets, another may still know.
    """

    name: str
    operations: str
    kind: str
    inputs: int
    outputs: int
    ratio: float
    guarantee: str
    rank: int | None = None
    condition: float | None = None
    nullity: int | None = None
    certified: bool = False
    depth: int = 0
    effective_rank: float | None = None
    bottleneck: bool = True

    @property
    def remain(self) -> int:
        """Numbers per sample that come through: those of its result, or its rank where that is less."""
        return self.outputs if self.rank is None else min(self.outputs, self.rank)

    @property
    def loses(self) -> int:
        """Numbers per sample that are forgotten for certain: the null space, or the shrinking of the size."""
        shrinks = max(0, self.inputs - self.outputs)
        return shrinks if self.nullity is None else max(shrinks, self.nullity)


@dataclass(frozen=True)
class Ledger:
    """The table of a whole network, in forward order.

    Args:
        rows: one for each region, parts of residual and opaque regions indented below theirs.
        guarantee: what the chain of all steps promises.
        input_size, output_size: numbers per sample at both ends.
        side_information: names of what was kept from a forward pass; empty for a data-free inverse.
    """

    rows: tuple[Row, ...]
    guarantee: str
    input_size: int
    output_size: int
    side_information: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        if not self.side_information:
            return self._judgement
        kept = ", ".join(self.side_information)
        return f"with side information (places of the maxima of {kept}): {self._judgement}"

    @property
    def narrowest(self) -> Row | None:
        """The bottleneck that the fewest numbers come through; None where no row is one."""
        return min((row for row in self.rows if row.bottleneck), key=lambda row: row.remain, default=None)

    @property
    def _judgement(self) -> str:
        if self.guarantee == Guarantee.EXACT.value:
            return "bijective: g(f(x)) = x and f(g(y)) = y"
        if self.guarantee == Guarantee.LEFT.value:
            spare = self.output_size - self.input_size
            return f"left inverse: nothing is lost; {spare} of the outputs are redundant"
        return self._loss or (
            f"{self.guarantee}: no dimension need be lost; the certificate of each call says what was"
        )

    @property
    def _loss(self) -> str:
        """How many dimensions are lost for certain, and where; empty when none need be."""
        narrow, remain = self.narrowest, self.output_size
        where = f" ({remain} numbers come out)"
        if narrow is not None and narrow.remain <= remain:
            remain = narrow.remain
            where = f" by {narrow.name or narrow.kind} ({remain} numbers remain)"
        if remain >= self.input_size:
            return ""
        is_right = self.guarantee == Guarantee.RIGHT.value
        return (
            f"{'right inverse' if is_right else self.guarantee}: at least {self.input_size - remain} of"
            f" {self.input_size} input dimensions are lost{where}; g(y) is"
            f" {'a preimage' if is_right else 'an estimate'}, not the input"
        )

    @property
    def losses(self) -> tuple[Row, ...]:
        """The bottlenecks that forget numbers for certain, the most forgetful one first."""
        found = (row for row in self.rows if row.loses and row.bottleneck)
        return tuple(sorted(found, key=lambda row: -row.loses))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "guarantee": self.guarantee,
            "verdict": self.verdict,
            "input_size": self.input_size,
            "output_size": self.output_size,
            "side_information": list(self.side_information),
            "rows": [asdict(row) for row in self.rows],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Ledger:
        """The ledger that :meth:`to_dict` wrote, for comparing with one of another day."""
        rows = tuple(Row(**row) for row in data["rows"])
        kept = tuple(data.get("side_information", ()))
        return Ledger(rows, data["guarantee"], data["input_size"], data["output_size"], kept)

    def to_html(self) -> str:
        """One self-contained page: opens without a network, in light and dark, readable without colours."""
        from preimage.inverse.reporting.ledger_page import page  # it reads ledgers itself

        return page(self)

    def diff(self, other: Ledger) -> LedgerDiff:
        """What changes from this ledger to another one: two models, or before and after training.

        Example:
            >>> import torch, preimage as pi
            >>> before = pi.invert(torch.nn.Linear(3, 2), torch.zeros(1, 3)).ledger
            >>> after = pi.invert(torch.nn.Linear(3, 1), torch.zeros(1, 3)).ledger
            >>> [change.fields for change in before.diff(after).changes]
            [('outputs', 'ratio', 'rank', 'condition', 'nullity', 'effective_rank')]
        """
        from preimage.inverse.reporting.ledger_diff import diff  # it reads ledgers itself

        return diff(self, other)

    def __str__(self) -> str:
        table = [TITLES, *(cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(TITLES))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in table
        ]
        return "\n".join([*lines, "", self.verdict])


TITLES = (
    "region",
    "operations",
    "in",
    "out",
    "of input",
    "inverse",
    "rank",
    "eff. rank",
    "condition",
    "lost",
    "evidence",
)


def cells(row: Row) -> tuple[str, ...]:
    """What the table shows of a row."""
    known = row.rank is not None
    evidence = (
        ("certified" if row.certified else "estimate") if known or row.condition is not None else "each call"
    )
    closed = row.guarantee in ("exact", "left") and not known and row.condition is None
    return (
        "  " * row.depth + (row.name or row.kind),
        row.operations,
        f"{row.inputs:,}",
        f"{row.outputs:,}",
        f"{row.ratio:.4g}",
        row.guarantee,
        f"{row.rank:,}" if row.rank is not None else "",
        _estimate(row.effective_rank),
        f"{row.condition:.3g}" if row.condition is not None else "",
        f"{row.nullity:,}" if row.nullity is not None else "",
        "closed form" if closed else evidence,
    )


def _estimate(value: float | None) -> str:
    if value is None:
        return ""
    return f"~{value:,.0f}" if value >= 100 else f"~{value:.3g}"
