"""Values of which known parts together hold every number."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.capture.graph import Graph, Node
from preimage.capture.layout import Layout
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.positions import chain_positions
from preimage.inverse.planning.region import Region, label_of
from preimage.inverse.planning.roles import is_selection
from preimage.inverse.planning.search.operands import Known
from preimage.inverse.registry import operation_rule


def gathered(graph: Graph, name: str, known: Known) -> Iterator[Region]:
    """A split operation all of whose parts are known, and which can be undone from them."""
    node = graph.by_name[name]
    rule = operation_rule("preimage::gather")
    if not node.parts or not node.inputs or node.name in known or rule is None:
        return
    if operation_rule(node.operation) is None:  # it is solved as an equation, from each of its parts
        return
    readers = graph.consumers[node.name]
    taken = {reader.args[1] for reader in readers if reader.operation == "getitem"}
    if taken == set(range(len(node.parts))) and all(reader.name in known for reader in readers):
        names = tuple(sorted((r.name for r in readers), key=lambda n: graph.by_name[n].args[1]))
        yield Region("gather", (), node.name, names, (), Guarantee.EXACT, rule, node.name)


def assembled(graph: Graph, name: str, known: Known) -> Iterator[Region]:
    """A value of which known slices, or other selections, together hold every number."""
    rule = operation_rule("preimage::assemble")
    if rule is None or graph.layout(name) != Layout():
        return
    chains = list(_selections(graph, name, known))
    sizes = sum(chain[-1].size for chain in chains)
    if len(chains) < 2 or sizes < graph.size(name):
        return
    found = [chain_positions(graph, chain) for chain in chains]
    held = {number for index in found if index is not None for number in index.flatten().tolist()}
    if len(held - {-1}) == graph.size(name) and all(index is not None for index in found):
        names = tuple(dict.fromkeys(node.name for chain in chains for node in chain))
        targets = tuple(chain[-1].name for chain in chains)
        guarantee = Guarantee.EXACT if sizes == graph.size(name) else Guarantee.LEFT
        label = label_of(graph, tuple(graph.by_name[n] for n in names))
        yield Region("assemble", names, name, targets, (), guarantee, rule, label)


def _selections(graph: Graph, name: str, known: Known) -> Iterator[tuple[Node, ...]]:
    """Chains of selections that lead from a value to known ones."""
    for node in graph.consumers[name]:
        if is_selection(graph, node):
            if node.name in known:
                yield (node,)
            else:
                yield from ((node, *rest) for rest in _selections(graph, node.name, known))


def selected_from(graph: Graph, name: str) -> tuple[str, ...]:
    """The values that a selection was taken from, through other selections too."""
    found: list[str] = []
    node = graph.by_name.get(name)
    while node is not None and is_selection(graph, node):
        found.append(node.inputs[0])
        node = graph.by_name.get(node.inputs[0])
    return tuple(found)
