"""Regions: the groups of operations that are inverted as one."""

from __future__ import annotations

from dataclasses import dataclass, field

from preimage.capture.graph import Graph, Node, names_of
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.roles import Role, affine_role
from preimage.inverse.registry import Rule


@dataclass(frozen=True)
class Region:
    """A part of the network with one unknown source, seen from its known target.

    Args:
        kind: ``affine``, ``saturation``, ``residual``, ``opaque``, ``module``, or the name of the operation.
        nodes: names of its operations, in execution order.
        source: the value that is looked for.
        targets: the known values it is found from; one, except for some opaque regions.
        reads: known values that its operations also need.
        guarantee: what its rule promises: from shapes alone, or after the weights were measured.
        rule: the rule that inverts it.
        label: module path and operations, for people.
    """

    kind: str
    nodes: tuple[str, ...]
    source: str
    targets: tuple[str, ...]
    reads: tuple[str, ...]
    guarantee: Guarantee
    rule: Rule = field(repr=False, compare=False)
    label: str = ""

    def __str__(self) -> str:
        return (
            f"{self.source} <- {', '.join(self.targets)}  [{self.kind}, {self.guarantee.value}] {self.label}"
        )


def outside_reads(graph: Graph, nodes: tuple[Node, ...], source: str) -> tuple[str, ...]:
    """Data values that the nodes read from outside, the source excepted."""
    inside = {source, *names_of(nodes)}
    return tuple(dict.fromkeys(name for node in nodes for name in node.inputs if name not in inside))


def label_of(graph: Graph, nodes: tuple[Node, ...]) -> str:
    """Module path and operations of a region, such as ``_blocks.1._expand_conv.

    Conv2d+batch_norm+hardtanh``.
    """
    named = [node for node in nodes if node.operation != "getitem"] or list(nodes)
    operations = "+".join(node.operation for node in named)
    if len(named) > 4:
        operations = f"{len(named)} operations, {named[0].operation} to {named[-1].operation}"
    path = _path(graph, named)
    return f"{path}: {operations}" if path else operations


def _path(graph: Graph, nodes: list[Node]) -> str:
    """The module of the one mixing operation, else the innermost module around all nodes."""
    mixing = [node for node in nodes if _is_mixing(graph, node)]
    if len(mixing) == 1:
        return mixing[0].path.split("@")[0]
    shared = [path for path in nodes[0].stack if path and all(path in node.stack for node in nodes)]
    return (shared[-1] if shared else nodes[0].path).split("@")[0]


def _is_mixing(graph: Graph, node: Node) -> bool:
    role = affine_role(graph, node)
    return role is not None and role.role is Role.MIXING
