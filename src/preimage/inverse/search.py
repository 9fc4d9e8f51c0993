"""Finding the regions through which a known value can be taken one step back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from preimage.capture.graph import Graph, Node, Reference
from preimage.capture.layout import Layout
from preimage.capture.taps import called_path
from preimage.errors import NotInvertibleError
from preimage.inverse.density import drops_inputs
from preimage.inverse.gates import gate_of
from preimage.inverse.guarantee import Guarantee
from preimage.inverse.positions import chain_positions
from preimage.inverse.recorded import is_recorded
from preimage.inverse.region import Region, label_of, outside_reads
from preimage.inverse.registry import Rule, module_rule, operation_rule
from preimage.inverse.roles import (
    Role,
    affine_role,
    is_alike,
    is_selection,
    is_structural,
    same_rows,
    saturation_bounds,
)
from preimage.inverse.turning_points import turning_point

Known = Collection[str]
Finder = Callable[[Graph, str, Known], Iterator[Region]]

SUMS = frozenset({"add", "sub", "addcmul"})
"""Operations that end a residual block."""


def candidates(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """The regions that have this known value as their target, of the first kind that applies."""
    if value not in graph.by_name:
        return
    for finder in FINDERS:
        found = tuple(finder(graph, value, known))
        yield from found
        if found:
            return


def module_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A module whose class has a registered rule, taken whole."""
    node = graph.by_name[value]
    for path in node.stack:
        rule = module_rule(graph.module.get_submodule(called_path(path)))
        if rule is None:
            continue
        nodes = tuple(n for n in graph.nodes if path in n.stack and n.inputs)
        unknown = _unknown_operands(nodes, known)
        if nodes[-1].name == value and len(unknown) == 1 and same_rows(graph, value, unknown[0]):
            reads = outside_reads(graph, nodes, unknown[0])
            guarantee = rule.guarantee(graph, node)
            yield _region(graph, "module", nodes, unknown[0], rule, reads=reads, guarantee=guarantee)
            return


def module_exits(graph: Graph) -> tuple[str, ...]:
    """The last values of all modules whose class has a registered rule."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        last.update({path: node.name for path in node.stack if node.inputs})
    ruled = (p for p in last if module_rule(graph.module.get_submodule(called_path(p))) is not None)
    return tuple(last[path] for path in ruled)


def affine_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """Padding, one mixing operation, norm and activation, inverted as one."""
    node = graph.by_name[value]
    saturated = saturation_bounds(node) is not None and is_alike(graph, node)
    last = graph.by_name.get(node.inputs[0]) if saturated else node
    chain = affine_chain(graph, last, known, joined=saturated) if last else ()
    if not chain or chain[0].inputs[0] in known:
        return
    kind = "saturation" if saturated else "affine"
    nodes = (*chain, node) if saturated else chain
    rule = operation_rule(f"preimage::{kind}")
    if rule is not None:
        source = chain[0].inputs[0]
        guarantee = saturated_guarantee(graph, chain) if saturated else affine_guarantee(graph, chain)
        yield _region(graph, kind, nodes, source, rule, reads=(), guarantee=guarantee)


def turning_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """An affine map that makes more numbers than it reads, with the activation of two branches behind it."""
    node, rule = graph.by_name[value], operation_rule("preimage::turning")
    if rule is None or turning_point(node) is None or not is_alike(graph, node):
        return
    chain = affine_chain(graph, graph.by_name.get(node.inputs[0]), known, joined=True)
    if chain and chain[0].inputs[0] not in known and node.size > graph.size(chain[0].inputs[0]):
        nodes, source = (*chain, node), chain[0].inputs[0]
        yield _region(graph, "turning", nodes, source, rule, reads=(), guarantee=Guarantee.CERTIFIED)


def gate_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A product x s(mean x) of a value with a gate that its channel means decide."""
    found, rule = gate_of(graph, graph.by_name[value]), operation_rule("preimage::gate")
    if found is None or rule is None or found[0] in known or not same_rows(graph, value, found[0]):
        return
    nodes = graph.between(found[0], value)
    yield _region(graph, "gate", nodes, found[0], rule, reads=(), guarantee=Guarantee.ITERATIVE)


def recorded_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """An affine map and elementwise operations, seen through a max pooling whose places are known."""
    pool, rule = graph.by_name[value], operation_rule("preimage::recorded")
    if rule is None or not is_recorded(pool) or pool.fold != 1:
        return
    last = graph.by_name.get(pool.inputs[0])
    elementwise: list[Node] = []
    while last is not None and _is_bounded(graph, last) and _is_private(graph, last, known):
        elementwise.append(last)
        last = graph.by_name.get(last.inputs[0])
    chain = affine_chain(graph, last, known, joined=True)
    if chain and chain[0].inputs[0] not in known:
        nodes, source = (*chain, *reversed(elementwise), pool), chain[0].inputs[0]
        enough = pool.size >= graph.size(source)
        guarantee = Guarantee.CERTIFIED if enough else Guarantee.RIGHT
        yield _region(graph, "recorded", nodes, source, rule, reads=(), guarantee=guarantee)


def folded_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """An affine map that makes more numbers than it reads, and a PReLU behind it that folds some of them."""
    node, rule = graph.by_name[value], operation_rule("preimage::folded")
    if rule is None or not _folds(graph, node):
        return
    chain = affine_chain(graph, graph.by_name.get(node.inputs[0]), known, joined=True)
    if chain and chain[0].inputs[0] not in known and node.size > graph.size(chain[0].inputs[0]):
        nodes, source = (*chain, node), chain[0].inputs[0]
        yield _region(graph, "folded", nodes, source, rule, reads=(), guarantee=Guarantee.CERTIFIED)


def _folds(graph: Graph, node: Node) -> bool:
    """Whether the slopes of a PReLU, as they are now, are not all positive."""
    if node.operation not in ("prelu", "_prelu_kernel") or len(node.inputs) != 1 or node.fold != 1:
        return False
    slope = graph.tensor(node.args[1].name) if isinstance(node.args[1], Reference) else None
    return slope is not None and is_alike(graph, node) and bool((slope <= 0).any())


def _is_bounded(graph: Graph, node: Node) -> bool:
    """Whether bounds on the result of an elementwise operation bound its one operand."""
    role = affine_role(graph, node)
    diagonal = role is not None and role.role is Role.DIAGONAL
    slopes = node.operation in ("leaky_relu", "prelu", "_prelu_kernel") and len(node.inputs) == 1
    return is_alike(graph, node) and (diagonal or slopes or saturation_bounds(node) is not None)


def _is_private(graph: Graph, node: Node, known: Known) -> bool:
    """Whether one operation alone reads a value that is not known."""
    one = len(graph.consumers[node.name]) == 1 and node.name not in graph.outputs
    return one and node.name not in known


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


def operation_regions(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """A single operation with a registered rule and one unknown operand, or separable unknown operands."""
    node = graph.by_name[value]
    rule = operation_rule(node.operation)
    unknown = _unknown_operands((node,), known)
    if rule is None or not unknown or _repeated(node, unknown):
        return
    separable = node.operation in ("cat", "stack")
    if len(unknown) == 1 or separable:
        for source in unknown:
            if not _is_separate(graph, node, source):
                continue
            reads = () if separable else outside_reads(graph, (node,), source)
            guarantee = rule.guarantee(graph, node)
            yield _region(graph, node.operation, (node,), source, rule, reads=reads, guarantee=guarantee)


def _is_separate(graph: Graph, node: Node, source: str) -> bool:
    """Whether the operation can be undone sample by sample, as rules do."""
    if is_structural(node.operation):
        return graph.layout(source) is not None and graph.layout(node.name) is not None
    if not graph.is_real(node.name) or not (graph.is_real(source) or node.operation == "embedding"):
        return False
    return is_alike(graph, node)


def gathered(graph: Graph, name: str, known: Known) -> Iterator[Region]:
    """A split operation all of whose parts are known."""
    node = graph.by_name[name]
    rule = operation_rule("preimage::gather")
    if not node.parts or not node.inputs or node.name in known or rule is None:
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


FINDERS: tuple[Finder, ...] = (
    module_regions,
    affine_regions,
    turning_regions,
    gate_regions,
    recorded_regions,
    folded_regions,
    operation_regions,
)
"""Kinds of regions, in the order in which they are tried."""


def enclosing(graph: Graph, values: tuple[str, ...], known: Known) -> Region | None:
    """The smallest single-entry region behind known values.

    Residual blocks, gates, anything differentiable.
    """
    values = tuple(name for name in values if graph.layout(name) is not None and graph.is_real(name))
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


def _unknown_operands(nodes: tuple[Node, ...], known: Known) -> list[str]:
    inside = {node.name for node in nodes}
    names = dict.fromkeys(name for node in nodes for name in node.inputs)
    return [name for name in names if name not in known and name not in inside]


def _repeated(node: Node, unknown: list[str]) -> bool:
    """Whether an unknown value stands in two places, as in x * x."""
    places = [a.name for a in node.args if isinstance(a, Reference)]
    return any(places.count(name) > 1 for name in unknown)


def _region(
    graph: Graph, kind: str, nodes: tuple[Node, ...], source: str, rule: Rule, **facts: Any
) -> Region:
    names = tuple(node.name for node in nodes)
    return Region(kind, names, source, (nodes[-1].name,), rule=rule, label=label_of(graph, nodes), **facts)
