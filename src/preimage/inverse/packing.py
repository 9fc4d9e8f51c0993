"""Several inputs as one tensor, for solvers that look for a single unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import final

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.errors import NotInvertibleError
from preimage.inverse.values import column, several


@final
class Packing:
    """One input is left as it is; several are laid side by side as ``(N, all numbers)``.

    An input of one number a sample, ``(N,)``, becomes a column ``(N, 1)``.

    Args:
        graph: the captured network.
    """

    def __init__(self, graph: Graph) -> None:
        self.names = graph.inputs
        self.shapes = tuple(shape or (1,) for shape in graph.input_shapes)
        self._own = graph.input_shapes

    def pack(self, x: Tensor | tuple[Tensor, ...]) -> Tensor:
        """The inputs as one tensor."""
        values = [column(value) for value in several(x)]
        return values[0] if len(values) == 1 else torch.cat([value.flatten(1) for value in values], 1)

    def unpack(self, packed: Tensor) -> dict[str, Tensor]:
        """The inputs by name."""
        if len(self.names) == 1:
            return {self.names[0]: packed if self._own[0] else packed.reshape(-1)}
        parts = packed.split([prod(shape) for shape in self.shapes], 1)
        return {
            name: part.reshape(-1, *shape)
            for name, part, shape in zip(self.names, parts, self._own, strict=True)
        }


def stacked(graph: Graph, values: Mapping[str, Tensor]) -> Tensor:
    """Values of the graph with one row a sample: one as it is, several side by side, ``(N, all numbers)``.

    Args:
        graph: the captured network.
        values: name -> value, each in the layout of its node.
    """
    rows = [sample_rows(graph, name, value) for name, value in values.items()]
    return rows[0] if len(rows) == 1 else torch.cat([row.flatten(1) for row in rows], 1)


def sample_rows(graph: Graph, name: str, value: Tensor) -> Tensor:
    """A value with one row a sample, wherever the network holds them; ``(N, 1)`` for one number a sample.

    Raises:
        NotInvertibleError: when the value holds no separate part for each sample.
    """
    layout = graph.layout(name)
    if layout is None:
        raise NotInvertibleError(
            f"{name!r} holds no separate part for each sample; a value that does was wanted, such as one"
            " before samples were mixed. Axis 0 of every input counts the samples: give a batch (N, ...), and"
            " recurrent or attention layers batch_first=True"
        )
    return column(layout.to_samples(value))


def any_batch(graph: Graph, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function of rows that may be called with fewer rows than the capture fixed.

    Args:
        graph: the captured network.
        function: ``(N, *in) -> (N, *out)``, defined for the fixed batch alone where there is one.
    """
    if graph.fixed_batch is None:
        return function

    def filled(x: Tensor) -> Tensor:
        missing = max(0, (graph.fixed_batch or 0) - x.shape[0])
        return function(torch.cat([x, x[:1].expand(missing, *x.shape[1:])]))[: x.shape[0]]

    return filled


def example_inputs(graph: Graph, network: nn.Module, samples: int = 4) -> tuple[Tensor, ...]:
    """Standard normal inputs for a first look at a network, the same at every call.

    Args:
        graph: the captured network.
        network: decides dtype and device.
        samples: batch size, unless the capture fixes it.
    """
    like = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    generator = torch.Generator().manual_seed(0)  # of its own: the user's random state is left alone
    rows = graph.fixed_batch or samples
    return tuple(
        torch.zeros(rows, *shape, dtype=torch.long, device=like.device)
        if name in graph.whole
        else torch.randn(rows, *shape, generator=generator, dtype=torch.float64).to(like)
        for name, shape in zip(graph.inputs, graph.input_shapes, strict=True)
    )
