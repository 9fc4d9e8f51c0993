"""Modules whose class has a registered rule, taken whole."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.capture.graph import Graph
from preimage.inverse.planning.region import Region, outside_reads
from preimage.inverse.planning.roles import same_rows
from preimage.inverse.planning.ruled import exits, operations_of, rule_at
from preimage.inverse.planning.search.operands import Known, region, unknown_operands


def module_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A module whose class has a registered rule, taken whole, where one value alone leaves it."""
    node = graph.by_name[value]
    for path in node.stack:
        rule = rule_at(graph, path)
        if rule is None or exits(graph, path) != (value,):
            continue
        nodes = operations_of(graph, path, value)
        unknown = unknown_operands(nodes, known)
        if len(unknown) == 1 and same_rows(graph, value, unknown[0]):
            reads = outside_reads(graph, nodes, unknown[0])
            guarantee = rule.guarantee(graph, node)
            yield region(graph, "module", nodes, unknown[0], rule, reads=reads, guarantee=guarantee)
            return


def module_exits(graph: Graph) -> tuple[str, ...]:
    """The values that leave modules whose class has a registered rule."""
    paths = dict.fromkeys(path for node in graph.nodes if node.inputs for path in node.stack)
    return tuple(name for path in paths if rule_at(graph, path) for name in exits(graph, path))
