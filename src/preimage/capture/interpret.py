"""Running parts of a captured graph forward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from preimage.capture.graph import Graph, Node, references, substitute

BATCH = "%batch"
"""Name under which the batch size is known to nodes that compute shapes from it."""


def evaluate(graph: Graph, known: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Compute the wanted values from the known ones, running only the nodes that are needed.

    Args:
        graph: the captured network.
        known: value name -> tensor ``(N, *event)``; values behind known ones are not recomputed.
        wanted: names to compute.

    Returns:
        The wanted values by name.

    Raises:
        KeyError: when a needed input of the network is not among the known values.
    """
    wanted = tuple(wanted)
    values = dict(known)
    values.setdefault(BATCH, samples_of(graph, known))
    needed = required(graph, known, wanted)
    remaining = _readers(graph, needed, wanted)
    for node in graph.nodes:
        if node.name in needed:
            values[node.name] = run_node(graph, node, values)
            _release(node, values, remaining, known)
    return {name: values[name] for name in wanted}


def run_node(graph: Graph, node: Node, values: Mapping[str, Any]) -> Any:
    """Compute one node from the values of its operands."""

    def resolve(name: str) -> Any:
        if name in values:
            return values[name]
        tensor = graph.tensor(name)
        if tensor is not None:
            return tensor
        if name in graph.by_name and not graph.is_data(name):
            return evaluate(graph, {BATCH: values.get(BATCH, 1)}, [name])[name]
        raise KeyError(name)

    return node.target(*substitute(node.args, resolve), **substitute(node.kwargs, resolve))


def required(graph: Graph, known: Iterable[str], wanted: Iterable[str]) -> set[str]:
    """Names of the nodes that must run to get the wanted values from the known ones."""
    known, needed = set(known), set(wanted) - set(known)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(name for name in references((node.args, node.kwargs)) if name not in known)
    return {node.name for node in graph.nodes if node.name in needed}


def samples_of(graph: Graph, known: Mapping[str, Any]) -> int:
    """The number of samples that the known tensors hold; 1 when none of them tells."""
    for name, value in known.items():
        layout = graph.layout(name) if isinstance(value, Tensor) else None
        if layout is not None:
            return layout.samples(value)
    return 1


def _readers(graph: Graph, needed: set[str], wanted: tuple[str, ...]) -> dict[str, int]:
    """How often each value will still be read: lets memory go as soon as it can."""
    count = dict.fromkeys(wanted, 1)
    for node in graph.nodes:
        if node.name in needed:
            for name in set(references((node.args, node.kwargs))):
                count[name] = count.get(name, 0) + 1
    return count


def _release(node: Node, values: dict[str, Any], remaining: dict[str, int], keep: Iterable[str]) -> None:
    for name in set(references((node.args, node.kwargs))):
        remaining[name] -= 1
        if remaining[name] == 0 and name not in keep and name in values:
            del values[name]
