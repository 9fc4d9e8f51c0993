"""What regions are made of: operands that are unknown, operations that one alone reads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from preimage.capture.graph import Graph, Node
from preimage.inverse.planning.region import Region, label_of
from preimage.inverse.planning.roles import Role, affine_role, is_alike, saturation_bounds
from preimage.inverse.registry import Rule

Known = Collection[str]
"""Names of the values that are known."""


def unknown_operands(nodes: tuple[Node, ...], known: Known) -> list[str]:
    """The unknown values that operations read from outside, each once."""
    inside = {node.name for node in nodes}
    names = dict.fromkeys(name for node in nodes for name in node.inputs)
    return [name for name in names if name not in known and name not in inside]


def region(graph: Graph, kind: str, nodes: tuple[Node, ...], source: str, rule: Rule, **facts: Any) -> Region:
    """The region of these operations, seen from the value of the last one."""
    names = tuple(node.name for node in nodes)
    return Region(kind, names, source, (nodes[-1].name,), rule=rule, label=label_of(graph, nodes), **facts)


def is_private(graph: Graph, node: Node, known: Known) -> bool:
    """Whether one operation alone reads a value that is not known."""
    one = len(graph.consumers[node.name]) == 1 and node.name not in graph.outputs
    return one and node.name not in known


def is_bounded(graph: Graph, node: Node) -> bool:
    """Whether bounds on the result of an elementwise operation bound its one operand."""
    role = affine_role(graph, node)
    diagonal = role is not None and role.role is Role.DIAGONAL
    slopes = node.operation in ("leaky_relu", "prelu", "_prelu_kernel") and len(node.inputs) == 1
    return is_alike(graph, node) and (diagonal or slopes or saturation_bounds(node) is not None)
