"""Affine maps with a folding activation or a recorded pooling behind them."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.capture.graph import Graph, Node, Reference
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.recorded import is_recorded
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.roles import is_alike
from preimage.inverse.planning.search.affine import affine_chain
from preimage.inverse.planning.search.operands import Known, is_bounded, is_private, region
from preimage.inverse.planning.turning_points import turning_point
from preimage.inverse.registry import operation_rule


def turning_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """An affine map that makes more numbers than it reads, with the activation of two branches behind it."""
    node, rule = graph.by_name[value], operation_rule("preimage::turning")
    if rule is None or turning_point(node) is None or not is_alike(graph, node):
        return
    chain = affine_chain(graph, graph.by_name.get(node.inputs[0]), known, joined=True)
    if chain and chain[0].inputs[0] not in known and node.size > graph.size(chain[0].inputs[0]):
        nodes, source = (*chain, node), chain[0].inputs[0]
        yield region(graph, "turning", nodes, source, rule, reads=(), guarantee=Guarantee.CERTIFIED)


def folded_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """An affine map that makes more numbers than it reads, and a PReLU behind it that folds some of them."""
    node, rule = graph.by_name[value], operation_rule("preimage::folded")
    if rule is None or not _folds(graph, node):
        return
    chain = affine_chain(graph, graph.by_name.get(node.inputs[0]), known, joined=True)
    if chain and chain[0].inputs[0] not in known and node.size > graph.size(chain[0].inputs[0]):
        nodes, source = (*chain, node), chain[0].inputs[0]
        yield region(graph, "folded", nodes, source, rule, reads=(), guarantee=Guarantee.CERTIFIED)


def _folds(graph: Graph, node: Node) -> bool:
    """Whether the slopes of a PReLU, as they are now, are not all positive."""
    if node.operation not in ("prelu", "_prelu_kernel") or len(node.inputs) != 1 or node.fold != 1:
        return False
    slope = graph.tensor(node.args[1].name) if isinstance(node.args[1], Reference) else None
    return slope is not None and is_alike(graph, node) and bool((slope <= 0).any())


def recorded_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """An affine map and elementwise operations, seen through a max pooling whose places are known."""
    pool, rule = graph.by_name[value], operation_rule("preimage::recorded")
    if rule is None or not is_recorded(pool) or pool.fold != 1:
        return
    last = graph.by_name.get(pool.inputs[0])
    elementwise: list[Node] = []
    while last is not None and is_bounded(graph, last) and is_private(graph, last, known):
        elementwise.append(last)
        last = graph.by_name.get(last.inputs[0])
    chain = affine_chain(graph, last, known, joined=True)
    if chain and chain[0].inputs[0] not in known:
        nodes, source = (*chain, *reversed(elementwise), pool), chain[0].inputs[0]
        enough = pool.size >= graph.size(source)
        guarantee = Guarantee.CERTIFIED if enough else Guarantee.RIGHT
        yield region(graph, "recorded", nodes, source, rule, reads=(), guarantee=guarantee)
