"""Where each number of a selection comes from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.capture.interpret import evaluate


def positions(graph: Graph, node: Node) -> Tensor | None:
    """For each output of one sample the position of the input it copies, -1 for zero; None if it computes.

    Args:
        graph: the captured network.
        node: an operation with one data operand.
    """
    shape = graph.shape(node.inputs[0])
    numbers = torch.arange(1, graph.size(node.inputs[0]) + 1, dtype=torch.float64).view(1, *shape)
    followed = evaluate(graph, {node.inputs[0]: numbers}, [node.name])[node.name]
    index = followed.round().long() - 1
    inside = bool(((index >= -1) & (index < numbers.numel())).all()) and bool((followed == index + 1).all())
    return index[0] if inside and followed.shape[0] == 1 else None


def chain_positions(graph: Graph, nodes: Sequence[Node]) -> Tensor | None:
    """The same for selections one after another; None when one of them computes."""
    total: Tensor | None = None
    for node in nodes:
        index = positions(graph, node)
        if index is None:
            return None
        total = index if total is None else _composed(total.flatten(), index)
    return total


def _composed(first: Tensor, second: Tensor) -> Tensor:
    return torch.where(second < 0, -1, first[second.clamp_min(0)])
