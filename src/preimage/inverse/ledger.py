"""The ledger: for every region of a network its dimensions, rank, conditioning and promise."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from preimage.capture.graph import Graph
from preimage.capture.layout import Layout
from preimage.inverse.context import RuleContext
from preimage.inverse.guarantee import Guarantee
from preimage.inverse.plan import Plan
from preimage.inverse.rank import facts_of
from preimage.inverse.region import Region
from preimage.inverse.registry import Site
from preimage.inverse.rules.affine import affine_of
from preimage.inverse.rules.affine_inverse import prepared
from preimage.inverse.search import affine_regions
from preimage.inverse.solvers import Facts


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


@dataclass(frozen=True)
class Ledger:
    """The table of a whole network, in forward order.

    Args:
        rows: one for each region, parts of residual and opaque regions indented below theirs.
        guarantee: what the chain of all steps promises.
        input_size, output_size: numbers per sample at both ends.
    """

    rows: tuple[Row, ...]
    guarantee: str
    input_size: int
    output_size: int

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        narrow = min(self.rows, key=lambda row: row.outputs, default=None)
        if self.guarantee == Guarantee.EXACT.value:
            return "bijective: g(f(x)) = x and f(g(y)) = y"
        if self.guarantee == Guarantee.LEFT.value:
            spare = self.output_size - self.input_size
            return f"left inverse: nothing is lost; {spare} of the outputs are redundant"
        if narrow is not None and narrow.outputs < self.input_size:
            lost = self.input_size - narrow.outputs
            kind = "right inverse" if self.guarantee == Guarantee.RIGHT.value else self.guarantee
            return (
                f"{kind}: at least {lost} of {self.input_size} input dimensions are lost by"
                f" {narrow.name or narrow.kind} ({narrow.outputs} numbers remain);"
                " g(y) is a preimage, not the input"
            )
        return f"{self.guarantee}: no dimension need be lost; the certificate of each call says what was"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "guarantee": self.guarantee,
            "verdict": self.verdict,
            "input_size": self.input_size,
            "output_size": self.output_size,
            "rows": [asdict(row) for row in self.rows],
        }

    def to_html(self) -> str:
        """An HTML table without styles of its own."""
        head = "".join(f"<th>{title}</th>" for title in _TITLES)
        body = "".join(
            f'<tr class="depth{row.depth} {row.guarantee}">'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row))
            + "</tr>"
            for row in self.rows
        )
        return (
            f'<table class="ledger"><caption>{html.escape(self.verdict)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def __str__(self) -> str:
        table = [_TITLES, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(_TITLES))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in table
        ]
        return "\n".join([*lines, "", self.verdict])


_TITLES = (
    "region",
    "operations",
    "in",
    "out",
    "of input",
    "inverse",
    "rank",
    "condition",
    "lost",
    "evidence",
)


def _cells(row: Row) -> tuple[str, ...]:
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
        f"{row.condition:.3g}" if row.condition is not None else "",
        f"{row.nullity:,}" if row.nullity is not None else "",
        "closed form" if closed else evidence,
    )


def ledger(graph: Graph, plan: Plan, context: RuleContext) -> Ledger:
    """Build the ledger of a plan, shallow to deep.

    Args:
        graph: the captured network.
        plan: the way back from the network's outputs.
        context: keeps the factorisations that rank and condition come from, for later use.

    Cost:
        One factorisation for each affine map; seconds for a network of 50 convolutions.
    """
    rows = [
        row for region in reversed(plan.regions) for row in _rows(graph, region, context, plan.wanted_size)
    ]
    return Ledger(tuple(rows), plan.guarantee.value, plan.wanted_size, plan.known_size)


def _rows(graph: Graph, region: Region, context: RuleContext, size: int) -> Iterator[Row]:
    if region.kind == "gather":
        return
    yield _row(graph, region, context, size, 0)
    if region.kind in ("residual", "opaque"):
        for part in _parts(graph, region):
            yield _row(graph, part, context, size, 1)


def _parts(graph: Graph, region: Region) -> Iterator[Region]:
    """The affine and saturated maps inside a region that is solved as a whole."""
    claimed: set[str] = set()
    found: list[Region] = []
    for name in reversed(region.nodes):
        if name not in claimed:
            for part in affine_regions(graph, name, ()):
                claimed.update(part.nodes)
                found.append(part)
    yield from reversed(found)


def _row(graph: Graph, region: Region, context: RuleContext, size: int, depth: int) -> Row:
    name, _, operations = region.label.rpartition(": ")
    outputs = sum(graph.size(target) for target in region.targets)
    facts = _facts(graph, region, context)
    return Row(
        name=name,
        operations=operations,
        kind=region.kind,
        inputs=graph.size(region.source),
        outputs=outputs,
        ratio=outputs / max(1, size),
        guarantee=_promise(region, facts).value,
        rank=facts.rank if facts else None,
        condition=facts.condition if facts and math.isfinite(facts.condition) else None,
        nullity=facts.nullity if facts else None,
        certified=bool(facts and facts.certified),
        depth=depth,
    )


def _facts(graph: Graph, region: Region, context: RuleContext) -> Facts | None:
    if region.kind not in ("affine", "saturation"):
        return None
    nodes = tuple(graph.by_name[name] for name in region.nodes)
    chain = nodes[:-1] if region.kind == "saturation" else nodes
    if not chain:
        return None
    key = ("facts", region.source, chain[-1].name)
    if region.kind == "affine":
        facts = prepared(Site(graph, chain, region.source, chain[-1].name, context=context), None).facts
    else:
        facts = context.prepared(key, context.versions, lambda: facts_of(affine_of(graph, chain)))
    return _for_all_entries(facts, graph.layout(region.source))


def _for_all_entries(facts: Facts, layout: Layout | None) -> Facts:
    """Facts of a whole sample, where the map acts on each of the entries that are folded into axis 0."""
    fold = 1 if layout is None else layout.fold
    rank = None if facts.rank is None else fold * facts.rank
    return replace(facts, in_size=fold * facts.in_size, out_size=fold * facts.out_size, rank=rank)


def _promise(region: Region, facts: Facts | None) -> Guarantee:
    """The promise by shapes, corrected by the rank that was found."""
    if facts is None or facts.rank is None or region.kind == "saturation":
        return region.guarantee
    measured = {"exact": Guarantee.EXACT, "left": Guarantee.LEFT, "right": Guarantee.RIGHT}
    return measured.get(facts.guarantee, Guarantee.ESTIMATE)
