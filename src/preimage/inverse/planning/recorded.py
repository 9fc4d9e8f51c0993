"""Max-pooling layers whose places are known from a forward pass, as operations of their own in the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from preimage.capture.graph import Graph, Node, Reference
from preimage.capture.interpret import evaluate


@dataclass(frozen=True)
class Pool:
    """A kind of max pooling that can be recorded.

    Args:
        with_places: gives the largest numbers and their places.
        settings: names of its arguments after the first.
    """

    with_places: Callable[..., tuple[Tensor, Tensor]]
    settings: tuple[str, ...]


WINDOWS = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

POOLS: Mapping[str, Pool] = {
    "max_pool1d": Pool(functional.max_pool1d_with_indices, WINDOWS),
    "max_pool2d": Pool(functional.max_pool2d_with_indices, WINDOWS),
    "max_pool3d": Pool(functional.max_pool3d_with_indices, WINDOWS),
    "adaptive_max_pool1d": Pool(functional.adaptive_max_pool1d_with_indices, ("output_size",)),
    "adaptive_max_pool2d": Pool(functional.adaptive_max_pool2d_with_indices, ("output_size",)),
    "adaptive_max_pool3d": Pool(functional.adaptive_max_pool3d_with_indices, ("output_size",)),
}
"""Operations that can be recorded, and what tells their places."""

MARK = "with side information"
"""Part of the name of every operation that was recorded, and so of its row in the ledger."""


def is_recorded(node: Node) -> bool:
    """Whether the places of a max-pooling node are known."""
    return "places" in node.kwargs


def recordable(graph: Graph) -> tuple[Node, ...]:
    """The max-pooling nodes whose samples stand on axis 0, in execution order."""
    return tuple(
        node for node in graph.nodes if node.operation in POOLS and len(node.inputs) == 1 and node.axis == 0
    )


def places_of(graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Flat position of the largest number of every window, by name of the pooling node.

    Args:
        graph: the captured network.
        inputs: its inputs by name, ``(N, *event)``.

    Returns:
        name -> whole numbers of the shape of the pooled value; positions count over all pooled axes.
    """
    nodes = recordable(graph)
    with torch.no_grad():
        values = evaluate(graph, inputs, dict.fromkeys(node.inputs[0] for node in nodes))
        return {node.name: _places(node, values[node.inputs[0]]) for node in nodes}


def _places(node: Node, x: Tensor) -> Tensor:
    pool = POOLS[node.operation]
    literal = {**dict(zip(pool.settings, node.args[1:], strict=False)), **node.kwargs}
    settings = {name: literal[name] for name in pool.settings if literal.get(name) not in (None, [], ())}
    return pool.with_places(x, **settings)[1]


def with_places(graph: Graph, places: Mapping[str, Tensor]) -> Graph:
    """The network of one sample, with every recorded maximum read at its place.

    Args:
        graph: the captured network.
        places: name of a pooling node -> its places for one sample.
    """
    nodes = tuple(_recorded(node) if node.name in places else node for node in graph.nodes)
    constants = {f"{name}.places": value for name, value in places.items()}
    return replace(graph, nodes=nodes, constants={**graph.constants, **constants})


def pooled_axes(operation: str) -> int:
    """How many axes an operation such as ``max_pool2d`` pools, recorded or not.

    Example:
        >>> pooled_axes("adaptive_max_pool3d with side information")
        3
    """
    return int(operation.partition("max_pool")[2][0])


def _recorded(node: Node) -> Node:
    kwargs = {**node.kwargs, "places": Reference(f"{node.name}.places")}
    target = partial(read, pooled_axes(node.operation))
    return replace(node, operation=f"{node.operation} {MARK}", target=target, kwargs=kwargs)


def read(axes: int, x: Tensor, *_: Any, places: Tensor, **__: Any) -> Tensor:
    """The numbers of x at recorded places; rows beyond the recorded ones are further copies of the sample.

    Args:
        axes: how many trailing axes were pooled.
        x: ``(N, ..., *pooled axes)``.
        places: flat positions, of the shape of the pooled value for one sample.
    """
    copies = max(1, x.shape[0] // places.shape[0])
    index = places.to(x.device).repeat(copies, *[1] * (places.dim() - 1))
    return x.flatten(-axes).gather(-1, index.flatten(-axes)).view(index.shape)
