"""Single-entry regions around whatever has no rule: residual blocks, gates, anything differentiable."""

from __future__ import annotations

from preimage.capture.graph import Graph, Node
from preimage.errors import NotInvertibleError
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region, label_of
from preimage.inverse.planning.roles import Role, affine_role, saturation_bounds
from preimage.inverse.planning.search.operands import Known
from preimage.inverse.registry import operation_rule

SUMS = frozenset({"add", "sub", "addcmul"})
"""Operations that end a residual block."""


def enclosing(graph: Graph, values: tuple[str, ...], known: Known) -> Region | None:
    """The smallest single-entry region behind known values.

    Residual blocks, gates, anything differentiable.
    """
    values = tuple(name for name in values if _can_be_sought(graph, name))
    latest = max(values, key=lambda name: graph.order[name], default=None)
    entries = [] if latest is None else _entries(graph, latest, known)
    if latest is None or not entries:
        return None
    source = max(entries, key=lambda name: graph.order[name])
    behind = [name for name in entries if name != source]
    if behind and _only_saturates(graph, source, latest):  # a block is solved together with what clips it
        source = max(behind, key=lambda name: graph.order[name])
    targets = tuple(v for v in values if source in graph.dominators[v] and v != source)
    nodes = _all_between(graph, source, targets)
    square = graph.size(source) <= sum(graph.size(target) for target in targets)
    kind = "residual" if square and _is_residual(graph, latest, source) else "opaque"
    rule = operation_rule(f"preimage::{kind}")
    if rule is None:
        return None
    guarantee = Guarantee.ITERATIVE if kind == "residual" else Guarantee.OPAQUE
    return Region(
        kind, tuple(n.name for n in nodes), source, targets, (), guarantee, rule, label_of(graph, nodes)
    )


def _entries(graph: Graph, value: str, known: Known) -> list[str]:
    """Unknown values through which everything passes on its way to a value."""
    return [
        name
        for name in graph.dominators[value]
        if name not in known and name != value and _can_be_sought(graph, name)
    ]


def _all_between(graph: Graph, source: str, targets: tuple[str, ...]) -> tuple[Node, ...]:
    names = {node.name for target in targets for node in graph.between(source, target)}
    return tuple(node for node in graph.nodes if node.name in names)


def whole(graph: Graph, source: str, targets: tuple[str, ...]) -> Region:
    """Everything between an input and known values as one region, solved by Gauss-Newton."""
    nodes = _all_between(graph, source, targets)
    rule = operation_rule("preimage::opaque")
    if rule is None:
        raise NotInvertibleError("the rule for opaque regions is not registered; import preimage")
    label = label_of(graph, nodes) if nodes else ""
    ordered = tuple(node.name for node in nodes)
    return Region("opaque", ordered, source, targets, (), Guarantee.OPAQUE, rule, label)


def _only_saturates(graph: Graph, source: str, value: str) -> bool:
    """Whether nothing but saturations lies between a sum and a value."""
    between = graph.between(source, value)
    summed = source in graph.by_name and len(graph.by_name[source].inputs) > 1
    return summed and all(saturation_bounds(node) is not None for node in between)


def _is_residual(graph: Graph, value: str, source: str) -> bool:
    """Whether the value is x + g(x), perhaps followed by elementwise operations.

    Of the source's own shape.
    """
    node = graph.by_name[value]
    while len(node.inputs) == 1 and node.inputs[0] in graph.by_name and node.name != source:
        if not _keeps_numbers(graph, node):
            return False
        node = graph.by_name[node.inputs[0]]
    same = node.shape == graph.shape(source) or node.size == graph.size(source)
    return node.operation in SUMS and len(node.inputs) >= 2 and same


def _keeps_numbers(graph: Graph, node: Node) -> bool:
    """Whether a one-operand operation has an inverse of its own, or only clips."""
    if saturation_bounds(node) is not None:
        return True
    rule, role = operation_rule(node.operation), affine_role(graph, node)
    if role is not None:
        return role.role is Role.DIAGONAL
    return rule is not None and rule.guarantee(graph, node).keeps_everything


def _can_be_sought(graph: Graph, name: str) -> bool:
    """Whether a solver can look for a value: one real tensor with a part for each sample."""
    single = name not in graph.by_name or not graph.by_name[name].parts
    return single and graph.layout(name) is not None and graph.is_real(name)
