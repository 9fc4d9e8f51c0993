"""Affine maps in modules of their own that are inverted together with the one behind them."""

from __future__ import annotations

from preimage.capture.graph import Graph, Node
from preimage.inverse.planning.roles import is_structural, same_rows
from preimage.inverse.planning.search.operands import Known, is_private

LARGEST = 2**21
"""Most entries of the matrix of several maps together: what joins them has no structure left but its size."""


def passes(graph: Graph, node: Node) -> bool:
    """Whether an operation hands every number of each sample on, under another shape or in another order."""
    whole = len(node.inputs) == 1 and node.size == graph.size(node.inputs[0]) and node.fold == 1
    return (
        whole
        and is_structural(node.operation)
        and not node.parts
        and same_rows(graph, node.name, *node.inputs)
    )


def before(graph: Graph, node: Node, known: Known) -> Node | None:
    """The operation in front of another, and of what merely passes numbers on; None if others read it too."""
    last = graph.by_name.get(node.inputs[0])
    while last is not None and is_private(graph, last, known) and passes(graph, last):
        last = graph.by_name.get(last.inputs[0])
    return last if last is not None and is_private(graph, last, known) else None


def is_cheap(graph: Graph, source: str, target: str) -> bool:
    """Whether the matrix between two values may be written down."""
    return graph.size(source) * graph.size(target) <= LARGEST
