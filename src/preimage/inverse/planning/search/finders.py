"""The kinds of regions, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from preimage.capture.graph import Graph
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.search.activations import folded_regions, recorded_regions, turning_regions
from preimage.inverse.planning.search.affine import affine_regions
from preimage.inverse.planning.search.modules import module_regions
from preimage.inverse.planning.search.operands import Known
from preimage.inverse.planning.search.operations import gate_regions, operation_regions

Finder = Callable[[Graph, str, Known], Iterator[Region]]

FINDERS: tuple[Finder, ...] = (
    module_regions,
    affine_regions,
    turning_regions,
    gate_regions,
    recorded_regions,
    folded_regions,
    operation_regions,
)


def candidates(graph: Graph, value: str, known: Known) -> Iterator[Region]:
    """The regions that have this known value as their target, of the first kind that applies."""
    if value not in graph.by_name:
        return
    for finder in FINDERS:
        found = tuple(finder(graph, value, known))
        yield from found
        if found:
            return
