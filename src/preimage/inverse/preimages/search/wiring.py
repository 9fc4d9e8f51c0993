"""A network as one affine map between functions of single numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import final

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.capture.interpret import evaluate, required, run_node
from preimage.inverse.packing import Packing, stacked
from preimage.inverse.preimages.search.curves import Function, nearest_on_graph

ELEMENTWISE = frozenset(
    {
        "relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "leaky_relu", "prelu",
        "_prelu_kernel", "elu", "selu", "celu", "softplus", "silu", "gelu", "mish", "hardswish",
        "hardsigmoid", "hardshrink", "softshrink", "threshold", "sigmoid", "tanh", "softsign",
        "log_sigmoid", "tanhshrink", "abs", "sin", "cos", "exp", "asinh", "sinh", "atan", "square", "erf",
    }
)  # fmt: skip
"""Operations that map every number by itself and may be cut out of a network."""

UNKNOWNS = 2048
"""Most numbers that the affine map may take or return."""

ROOM = 2**27
"""Most numbers that may be held while it is written down."""

Sight = Callable[[Tensor], Tensor]


@final
class Wiring:
    """``(z, y) = L (x, q) + b``, where ``q = phi(z)``, one phi for each elementwise operation.

    Args:
        graph: the captured network.
        names: the values that are wanted, in order.
        see: what counts of them.
        nodes: the elementwise operations.
    """

    def __init__(self, graph: Graph, names: tuple[str, ...], see: Sight, nodes: tuple[Node, ...]) -> None:
        self.graph, self.names, self.see, self.nodes = graph, names, see, nodes
        self.packing, self.sizes = Packing(graph), [node.size for node in nodes]
        self.inputs = sum(prod(shape) for shape in graph.input_shapes)
        self.hidden = sum(self.sizes)

    def between(self, v: Tensor) -> Tensor:
        """``L v + b`` for values ``v = (x, q)``, ``(M, inputs + hidden)``: ``(M, hidden + outputs)``."""
        values = {node.inputs[0]: None for node in self.nodes} | dict.fromkeys(self.names)
        found = evaluate(self.graph, self._known(v), values)
        operands = [found[node.inputs[0]].flatten(1) for node in self.nodes]
        outputs = self.see(stacked(self.graph, {name: found[name] for name in self.names}))
        return torch.cat([*operands, outputs.flatten(1)], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """All z and q of inputs ``(N, *in)``, ``(N, hidden)`` each."""
        names = [name for node in self.nodes for name in (node.inputs[0], node.name)]
        found = evaluate(self.graph, self.packing.unpack(x), names)
        return tuple(torch.cat([found[name].flatten(1) for name in names[k::2]], 1) for k in (0, 1))  # type: ignore[return-value]

    def nearest(self, z: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest z and q with ``q = phi(z)``."""
        pairs = zip(self.functions(), z.split(self.sizes, 1), q.split(self.sizes, 1), strict=True)
        found = [_nearest(node, phi, *pair) for (node, phi), *pair in pairs]
        return torch.cat([t for t, _ in found], 1), torch.cat([value for _, value in found], 1)

    def functions(self) -> list[tuple[Node, Function]]:
        """Every operation with its phi, ``(M, *shape) -> (M, *shape)``."""
        return [(node, self._function(node)) for node in self.nodes]

    def _function(self, node: Node) -> Function:
        return lambda t: run_node(self.graph, node, {node.inputs[0]: t})

    def _known(self, v: Tensor) -> dict[str, Tensor]:
        x, *parts = v.split([self.inputs, *self.sizes], 1)
        single = len(self.graph.inputs) == 1
        known = self.packing.unpack(x.view(-1, *self.graph.input_shapes[0]) if single else x)
        return known | {
            node.name: part.view(-1, *node.shape) for node, part in zip(self.nodes, parts, strict=True)
        }


def _nearest(node: Node, phi: Function, z: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    t, value = nearest_on_graph(phi, z.view(-1, *node.shape), q.view(-1, *node.shape))
    return t.flatten(1), value.flatten(1)


def wiring(graph: Graph, names: tuple[str, ...], see: Sight) -> Wiring | None:
    """The network cut at its elementwise operations; None where it has none, or is too large.

    Args:
        graph: the captured network.
        names: the values that are wanted.
        see: what counts of them.
    """
    needed = required(graph, graph.inputs, names)
    nodes = tuple(node for node in graph.nodes if node.name in needed and _is_cut(graph, node))
    held = sum(node.size for node in graph.nodes if node.name in needed and not node.parts)
    cut = Wiring(graph, names, see, nodes)
    unknowns = cut.inputs + cut.hidden
    fits = unknowns <= UNKNOWNS and (unknowns + 1) * (unknowns + held) <= ROOM
    return cut if nodes and fits and graph.fixed_batch is None and not graph.whole else None


def _is_cut(graph: Graph, node: Node) -> bool:
    if node.operation not in ELEMENTWISE or len(node.inputs) != 1 or node.parts:
        return False
    same = node.axis == 0 and node.fold == 1 and graph.shape(node.inputs[0]) == node.shape
    return same and node.real and graph.is_real(node.inputs[0])
