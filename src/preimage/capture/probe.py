"""Which layout a value has, found by altering one sample and watching which entries change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node, references
from preimage.capture.interpret import BATCH, run_node
from preimage.capture.layout import Layout, fixed_layouts, separates


def with_layouts(graph: Graph, examples: tuple[Tensor, ...]) -> Graph:
    """The graph with the layouts confirmed that sizes alone leave open.

    A size that is a multiple of the batch may be ``(samples, windows)`` or ``(windows, samples)``, and where
    the capture fixed the batch every size is a plain number. The network is run twice, on inputs that differ
    in the last sample only; a layout holds when only that sample's entries change. A value that cannot be
    decided has no layout, and is never inverted by itself.

    Args:
        graph: the captured network.
        examples: inputs it was captured on.

    Cost:
        Two forward passes, only where there is something to decide.
    """
    open_nodes = {node.name for node in graph.nodes if node.inputs and _is_open(graph, node)}
    if not open_nodes:
        return graph
    found = _decided(graph, examples, open_nodes)
    return replace(graph, nodes=tuple(found.get(node.name, node) for node in graph.nodes))


def _is_open(graph: Graph, node: Node) -> bool:
    return not node.parts and (node.fold > 1 if graph.fixed_batch is None else graph.fixed_batch > 1)


def _decided(graph: Graph, examples: tuple[Tensor, ...], names: set[str]) -> dict[str, Node]:
    """The open nodes with their layout, or with none."""
    decided = {node.name: replace(node, axis=None) for node in graph.nodes if node.name in names}
    for node, one, other in _pairs(graph, examples):
        if node.name in names and isinstance(one, Tensor) and one.dim():
            changed = one.nan_to_num() != other.nan_to_num()
            layouts = _possible(graph, node, one)
            layout = next((found for found in layouts if separates(changed, found)), None)
            if layout is not None:
                event = layout.event(one.shape)
                decided[node.name] = replace(node, shape=event, axis=layout.axis, fold=layout.fold)
    return decided


def _possible(graph: Graph, node: Node, value: Tensor) -> tuple[Layout, ...]:
    if graph.fixed_batch is None:
        return () if node.layout is None else (node.layout,)
    return fixed_layouts(value.shape, graph.fixed_batch)


def _pairs(graph: Graph, examples: tuple[Tensor, ...]) -> Iterator[tuple[Node, Any, Any]]:
    """Every value of both runs, in execution order, up to what random input cannot pass."""
    batch = graph.fixed_batch or 2
    first, second = _inputs(graph, examples, batch)
    last = _last_readers(graph)
    for node in graph.nodes:
        try:
            with torch.no_grad():
                first[node.name] = run_node(graph, node, first)
                second[node.name] = run_node(graph, node, second)
        except (RuntimeError, IndexError, ValueError):
            return
        yield node, first[node.name], second[node.name]
        for name in last.get(node.name, ()):
            first.pop(name, None)
            second.pop(name, None)


def _inputs(graph: Graph, examples: tuple[Tensor, ...], batch: int) -> tuple[dict[str, Any], dict[str, Any]]:
    first: dict[str, Any] = {BATCH: batch}
    second: dict[str, Any] = {BATCH: batch}
    generator = torch.Generator().manual_seed(0)  # of its own: the user's random state is left alone
    for name, example in zip(graph.inputs, examples, strict=True):
        first[name], second[name] = _altered(example, batch, generator)
    return first, second


def _altered(example: Tensor, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two inputs that differ in the last sample; indices stay among those of the example."""
    shape = (batch, *example.shape[1:])
    if example.is_floating_point():
        one = torch.randn(shape, generator=generator).to(example)
        other = torch.randn(shape, generator=generator).to(example)
    else:
        one = example[:1].expand(shape).clone()
        other = torch.where(one == one.min(), one.max(), one.min()) if one.numel() else one
        other = torch.where(other == one, 1 - one.clamp(0, 1), other).to(example.dtype)
    return one, torch.cat([one[:-1], other[-1:]])


def _last_readers(graph: Graph) -> dict[str, list[str]]:
    """For each node, the values that nobody reads after it."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        for name in references((node.args, node.kwargs)):
            last[name] = node.name
    freed: dict[str, list[str]] = {}
    for name, reader in last.items():
        if name in graph.by_name and graph.is_data(name):
            freed.setdefault(reader, []).append(name)
    return freed
