"""The values through which everything must pass on its way to the known ones, as a tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.inverse.packing import Packing, sample_rows
from preimage.inverse.prior import is_elementwise

LARGEST = 2048
"""Numbers of a value up to which its covariance is written down."""

ROOT = ""
"""The input of the network, all inputs side by side."""


@final
@dataclass(frozen=True)
class Gates:
    """Each known value is a function of its gate, that of the next gate before it, up to the input.

    Several known values whose ways meet do so at a gate. There the estimates from both are fused; everything
    that lies between two gates, skip connections included, is one step.

    Args:
        graph: the captured network.
        parents: name of a gate -> name of the one before it, from the input on.
    """

    graph: Graph
    parents: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(graph: Graph, known: tuple[str, ...]) -> Gates:
        """The gates of some known values."""
        parents: dict[str, str] = {}
        for name in known:
            before = sorted(graph.dominators[name], key=graph.order.__getitem__)
            chain = [ROOT, *(gate for gate in before if gate == name or _is_small(graph, gate)), name]
            parents |= {gate: chain[i] for i, gate in enumerate(chain[1:]) if gate != chain[i]}
        return Gates(graph, dict(sorted(parents.items(), key=lambda pair: graph.order[pair[0]])))

    def children(self, gate: str) -> list[str]:
        """The gates that come right after one."""
        return [name for name, parent in self.parents.items() if parent == gate]

    def is_pointwise(self, gate: str) -> bool:
        """Whether each number of a gate is a function of one number of the gate before it."""
        start = self.parents[gate]
        first, *others = self.graph.inputs
        if start == ROOT and others:
            return False
        nodes = self.graph.between(first if start == ROOT else start, gate)
        return [is_elementwise(self.graph, node) for node in nodes] == [True]

    def step(self, gate: str, like: Tensor) -> Callable[[Tensor], Tensor]:
        """The part of the network that makes a gate of the one before it, as a map of rows in float64.

        Args:
            gate: its name.
            like: decides in which dtype the network runs.
        """
        start, graph, packing = self.parents[gate], self.graph, Packing(self.graph)
        shape = _event(graph, start)

        def part(rows: Tensor) -> Tensor:
            value = rows.to(like.dtype).reshape(len(rows), *shape)
            known = packing.unpack(value) if start == ROOT else {start: value}
            made = evaluate(graph, known, [gate])[gate]
            return sample_rows(graph, gate, made).flatten(1).to(rows)

        return part if graph.fixed_batch is None else _in_batches(part, graph.fixed_batch)


def _is_small(graph: Graph, name: str) -> bool:
    """Whether a value can be a gate: real numbers, few enough, one row a sample."""
    if name not in graph.by_name:
        return False
    node = graph.by_name[name]
    return node.real and not node.parts and node.axis == 0 and node.fold == 1 and 0 < node.size <= LARGEST


def _event(graph: Graph, gate: str) -> tuple[int, ...]:
    if gate != ROOT:
        return graph.shape(gate)
    shapes = graph.input_shapes
    return shapes[0] if len(shapes) == 1 else (sum(torch.Size(shape).numel() for shape in shapes),)


def _in_batches(f: Callable[[Tensor], Tensor], size: int) -> Callable[[Tensor], Tensor]:
    """A map that takes so many rows and no other number, for any number."""

    def run(rows: Tensor) -> Tensor:
        missing = -len(rows) % size
        filled = torch.cat([rows, rows[:1].expand(missing, *rows.shape[1:])])
        return torch.cat([f(part) for part in filled.split(size)])[: len(rows)]

    return run
