"""Building the ledger of a plan: one row for each region, with the facts of its linear part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from preimage.capture.graph import Graph, Node
from preimage.capture.layout import Layout
from preimage.errors import NotInvertibleError
from preimage.inverse.context import RuleContext
from preimage.inverse.measured import measured, measured_promise
from preimage.inverse.planning.bottleneck import is_bottleneck
from preimage.inverse.planning.plan import Plan
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.search import affine_regions
from preimage.inverse.registry import Site
from preimage.inverse.reporting.effective_rank import effective_rank
from preimage.inverse.reporting.ledger import Ledger, Row
from preimage.inverse.reporting.rank import facts_of
from preimage.inverse.rules.affine import affine_of
from preimage.inverse.rules.affine_inverse import prepared
from preimage.inverse.solvers import Facts


def ledger(graph: Graph, plan: Plan, context: RuleContext) -> Ledger:
    """Build the ledger of a plan, shallow to deep; what it promises is measured on the present weights.

    Args:
        graph: the captured network.
        plan: the way back from the network's outputs.
        context: keeps the factorisations that rank and condition come from, for later use.

    Cost:
        One factorisation for each affine map; seconds for a network of 50 convolutions.
    """
    rows = [
        replace(row, bottleneck=is_bottleneck(graph, place.targets, plan.wanted, plan.known))
        for region in reversed(plan.regions)
        for place, row in _rows(graph, region, context, plan.wanted_size)
    ]
    promise = measured(graph, plan, context).guarantee
    return Ledger(tuple(rows), promise.value, plan.wanted_size, plan.known_size)


def _rows(graph: Graph, region: Region, context: RuleContext, size: int) -> Iterator[tuple[Region, Row]]:
    if region.kind == "gather":
        return
    yield region, _row(graph, region, context, size, 0)
    if region.kind in ("residual", "opaque"):
        for part in _parts(graph, region):
            yield part, _row(graph, part, context, size, 1)


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
    facts, effective = _facts(graph, region, context), _effective(graph, region, context)
    return Row(
        name=name,
        operations=operations,
        kind=region.kind,
        inputs=graph.size(region.source),
        outputs=outputs,
        ratio=outputs / max(1, size),
        guarantee=measured_promise(graph, region, context).value,
        rank=facts.rank if facts else None,
        condition=facts.condition if facts and math.isfinite(facts.condition) else None,
        nullity=facts.nullity if facts else None,
        certified=bool(facts and facts.certified),
        depth=depth,
        effective_rank=effective,
    )


def _chain(graph: Graph, region: Region) -> tuple[Node, ...]:
    """The affine operations of a region; none where it has no linear part of its own."""
    if region.kind not in ("affine", "saturation"):
        return ()
    nodes = tuple(graph.by_name[name] for name in region.nodes)
    return nodes[:-1] if region.kind == "saturation" else nodes


def _facts(graph: Graph, region: Region, context: RuleContext) -> Facts | None:
    chain = _chain(graph, region)
    if not chain:
        return None
    key = ("facts", region.source, chain[-1].name)
    try:
        if region.kind == "affine":
            facts = prepared(Site(graph, chain, region.source, chain[-1].name, context=context), None).facts
        else:
            facts = context.prepared(key, context.versions, lambda: facts_of(affine_of(graph, chain)))
    except NotInvertibleError:
        return None  # no factorisation is affordable; the row then says "each call"
    return _for_all_entries(facts, graph.layout(region.source))


def _effective(graph: Graph, region: Region, context: RuleContext) -> float | None:
    """The effective rank of a whole sample."""
    chain, layout = _chain(graph, region), graph.layout(region.source)
    if not chain:
        return None
    key = ("effective rank", region.source, chain[-1].name)
    found = context.prepared(key, context.versions, lambda: effective_rank(affine_of(graph, chain).linear))
    return found * (1 if layout is None else layout.fold)


def _for_all_entries(facts: Facts, layout: Layout | None) -> Facts:
    """Facts of a whole sample, where the map acts on each of the entries that are folded into axis 0."""
    fold = 1 if layout is None else layout.fold
    rank = None if facts.rank is None else fold * facts.rank
    return replace(facts, in_size=fold * facts.in_size, out_size=fold * facts.out_size, rank=rank)
