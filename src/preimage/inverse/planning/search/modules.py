"""Modules whose class has a registered rule, taken whole."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.capture.graph import Graph
from preimage.capture.taps import called_path
from preimage.inverse.planning.region import Region, outside_reads
from preimage.inverse.planning.roles import same_rows
from preimage.inverse.planning.search.operands import Known, region, unknown_operands
from preimage.inverse.registry import module_rule


def module_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A module whose class has a registered rule, taken whole."""
    node = graph.by_name[value]
    for path in node.stack:
        rule = module_rule(graph.module.get_submodule(called_path(path)))
        if rule is None:
            continue
        nodes = tuple(n for n in graph.nodes if path in n.stack and n.inputs)
        unknown = unknown_operands(nodes, known)
        if nodes[-1].name == value and len(unknown) == 1 and same_rows(graph, value, unknown[0]):
            reads = outside_reads(graph, nodes, unknown[0])
            guarantee = rule.guarantee(graph, node)
            yield region(graph, "module", nodes, unknown[0], rule, reads=reads, guarantee=guarantee)
            return


def module_exits(graph: Graph) -> tuple[str, ...]:
    """The last values of all modules whose class has a registered rule."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        last.update({path: node.name for path in node.stack if node.inputs})
    ruled = (p for p in last if module_rule(graph.module.get_submodule(called_path(p))) is not None)
    return tuple(last[path] for path in ruled)
