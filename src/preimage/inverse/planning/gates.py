"""Finding squeeze-and-excite gates in a captured network."""

from __future__ import annotations

from preimage.capture.graph import Graph, Node, Reference

MEANS = frozenset({"mean", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"})
"""Operations that may take the mean of a channel."""


def gate_of(graph: Graph, node: Node) -> tuple[str, str, str] | None:
    """The value, its channel means and the gate of a product x s(mean x), None for other nodes.

    Args:
        graph: the captured network.
        node: the operation that may be the product.
    """
    operands = [a.name for a in node.args if isinstance(a, Reference) and graph.is_data(a.name)]
    if node.operation != "mul" or len(operands) != 2:
        return None
    for source, gate in (operands, operands[::-1]):
        squeezed = [n for n in graph.consumers.get(source, ()) if _is_channel_mean(graph, n, source)]
        for mean in squeezed:
            through = mean.name in graph.dominators[gate] and source in graph.dominators[gate]
            if through and gate in graph.by_name and _is_per_channel(graph, gate, source):
                return source, mean.name, gate
    return None


def _is_channel_mean(graph: Graph, node: Node, source: str) -> bool:
    shape = graph.shape(source)
    return (
        node.operation in MEANS
        and len(shape) > 1
        and node.size == shape[0]
        and node.shape[:1] == shape[:1]
        and node.inputs == (source,)
    )


def _is_per_channel(graph: Graph, gate: str, source: str) -> bool:
    shape = graph.shape(source)
    return graph.by_name[gate].shape == (shape[0], *[1] * (len(shape) - 1))
