"""Affine maps, alone or with the activation behind them."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.capture.graph import Graph, Node
from preimage.inverse.planning.density import drops_inputs
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.roles import Role, affine_role, is_alike, saturation_bounds
from preimage.inverse.planning.search.operands import Known, region
from preimage.inverse.planning.search.widened import before, is_cheap
from preimage.inverse.registry import operation_rule


def affine_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """Padding, one mixing operation, norm and activation, inverted as one."""
    node = graph.by_name[value]
    saturated = saturation_bounds(node) is not None and is_alike(graph, node)
    last = graph.by_name.get(node.inputs[0]) if saturated else node
    chain = affine_chain(graph, last, known, joined=saturated) if last else ()
    if not chain or chain[0].inputs[0] in known:
        return
    if saturated or chain[-1].size < graph.size(chain[0].inputs[0]):
        chain = widened(graph, chain, known)
    kind = "saturation" if saturated else "affine"
    nodes = (*chain, node) if saturated else chain
    rule = operation_rule(f"preimage::{kind}")
    if rule is not None:
        source = chain[0].inputs[0]
        guarantee = saturated_guarantee(graph, chain) if saturated else affine_guarantee(graph, chain)
        yield region(graph, kind, nodes, source, rule, reads=(), guarantee=guarantee)


def affine_chain(graph: Graph, last: Node | None, known: Known, *, joined: bool) -> tuple[Node, ...]:
    """The affine operations that end in a node: padding, at most one mixing operation, then diagonal ones.

    Args:
        graph: the captured network.
        last: the last affine operation.
        known: values that need not be looked for.
        joined: whether the last node must itself be read by one operation only.
    """
    chain: list[Node] = []
    mixed = False
    while last is not None and last.name not in (known if joined or chain else ()):
        role = affine_role(graph, last)
        single = len(graph.consumers[last.name]) == 1 and last.name not in graph.outputs
        if role is None or (mixed and role.role is not Role.PADDING) or ((chain or joined) and not single):
            break
        mixed = mixed or role.role is not Role.DIAGONAL
        chain.append(last)
        last = graph.by_name.get(last.inputs[0])
    return tuple(reversed(chain))


def widened(graph: Graph, chain: tuple[Node, ...], known: Known) -> tuple[Node, ...]:
    """A chain that may lose numbers with the affine maps before it, from the narrowest value among them on.

    What a lossy step alone would guess need not be in the range of a map before it that makes more numbers
    than it reads. Together they have fewer unknowns, and the same equations.

    Args:
        graph: the captured network.
        chain: affine operations.
        known: values that need not be looked for.
    """
    best = longer = chain
    while earlier := _earlier(graph, longer[0], known):
        longer = (*earlier, *longer)
        source = longer[0].inputs[0]
        if graph.size(source) < graph.size(best[0].inputs[0]) and is_cheap(graph, source, longer[-1].name):
            best = longer
    return best


def _earlier(graph: Graph, node: Node, known: Known) -> tuple[Node, ...]:
    """The affine chain in front of an operation, with what merely passes its numbers on."""
    last = before(graph, node, known)
    chain = affine_chain(graph, last, known, joined=True) if last is not None else ()
    if not chain or last is None:
        return ()
    between = graph.between(last.name, node.inputs[0]) if last.name != node.inputs[0] else ()
    return (*chain, *between)


def affine_guarantee(graph: Graph, chain: tuple[Node, ...]) -> Guarantee:
    """Promise of an affine map of the best rank that its shapes allow: square, expanding or contracting."""
    given, made = graph.size(chain[0].inputs[0]), graph.size(chain[-1].name)
    if made < given:
        return Guarantee.RIGHT
    if any(drops_inputs(graph, node) for node in chain):
        return Guarantee.ESTIMATE
    return Guarantee.EXACT if given == made else Guarantee.LEFT


def saturated_guarantee(graph: Graph, chain: tuple[Node, ...]) -> Guarantee:
    """A saturated affine map can only be unique where it has at least as many outputs as inputs."""
    expanding = chain[-1].size >= graph.size(chain[0].inputs[0])
    return Guarantee.CERTIFIED if expanding else Guarantee.RIGHT
