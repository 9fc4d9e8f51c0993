"""Single operations with a rule of their own, and gates."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.capture.graph import Graph, Node, Reference
from preimage.inverse.planning.gates import gate_of
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region, outside_reads
from preimage.inverse.planning.roles import is_alike, is_structural, same_rows
from preimage.inverse.planning.search.operands import Known, region, unknown_operands
from preimage.inverse.registry import operation_rule


def gate_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A product x s(mean x) of a value with a gate that its channel means decide."""
    found, rule = gate_of(graph, graph.by_name[value]), operation_rule("preimage::gate")
    if found is None or rule is None or found[0] in known or not same_rows(graph, value, found[0]):
        return
    nodes = graph.between(found[0], value)
    yield region(graph, "gate", nodes, found[0], rule, reads=(), guarantee=Guarantee.ITERATIVE)


def operation_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A single operation with a registered rule and one unknown operand, or separable unknown operands."""
    node = graph.by_name[value]
    rule = operation_rule(node.operation)
    unknown = unknown_operands((node,), known)
    if rule is None or not unknown or _repeated(node, unknown):
        return
    separable = node.operation in ("cat", "stack")
    if len(unknown) == 1 or separable:
        for source in unknown:
            if not _is_separate(graph, node, source):
                continue
            reads = () if separable else outside_reads(graph, (node,), source)
            guarantee = rule.guarantee(graph, node)
            yield region(graph, node.operation, (node,), source, rule, reads=reads, guarantee=guarantee)


def _is_separate(graph: Graph, node: Node, source: str) -> bool:
    """Whether the operation can be undone sample by sample, as rules do."""
    if is_structural(node.operation):
        return graph.layout(source) is not None and graph.layout(node.name) is not None
    if not graph.is_real(node.name) or not (graph.is_real(source) or node.operation == "embedding"):
        return False
    return is_alike(graph, node)


def _repeated(node: Node, unknown: list[str]) -> bool:
    """Whether an unknown value stands in two places, as in x * x."""
    places = [a.name for a in node.args if isinstance(a, Reference)]
    return any(places.count(name) > 1 for name in unknown)
