"""f(x) = y of a region whose last operation may clip: what the clip hides of x is looked at before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.capture.interpret import BATCH, evaluate, samples_of
from preimage.inverse.packing import any_batch, stacked
from preimage.inverse.planning.roles import is_structural, saturation_bounds
from preimage.inverse.registry import Site
from preimage.inverse.solvers.nonlinear.maps import Map

Outputs = Callable[[Mapping[str, Any]], Tensor]

MONOTONE = frozenset(f"{kind}max_pool{axes}d" for kind in ("", "adaptive_") for axes in (1, 2, 3))
"""Operations that take the largest of some numbers."""


@final
@dataclass(frozen=True)
class Equation:
    """A region as a map of rows, ``f(x) = clip(inner(x), low, high)``.

    Where y lies between the bounds, ``f(x) = y`` and ``inner(x) = y`` say the same; where y is a bound, inner
    may lie anywhere beyond it. But f has no slope where it clips, so a solver that once has an output beyond
    the wrong bound never gets it back. The solvers therefore lower :meth:`misfit`, which hides nothing but
    what y allows; both have the same zeros, and for an affine inner map the misfit is convex.

    Args:
        inner: what is clipped, ``(N, *in) -> (N, *out)``, rows independent.
        low, high: the bounds; infinite where nothing is clipped.
    """

    inner: Map
    low: float = -torch.inf
    high: float = torch.inf

    @classmethod
    def of(cls, f: Map) -> Equation:
        """Any map as an equation without a clip; an equation itself."""
        return f if isinstance(f, cls) else cls(f)

    def __call__(self, x: Tensor) -> Tensor:
        """``f(x)``, ``(N, *out)``."""
        return self.inner(x).clamp(self.low, self.high)

    def misfit(self, value: Tensor, y: Tensor) -> Tensor:
        """What values ``inner(x)`` lack of wanted outputs y, ``(N, *out)``."""
        inside = torch.where(y <= self.low, value.clamp_min(self.low), value)
        return torch.where(y >= self.high, inside.clamp_max(self.high), inside) - y

    def seen_from(self, y: Tensor) -> Map:
        """A map with the zeros of ``f(x) - y`` for a single sample's y, ``(1, *out)``, which never hides.

        Args:
            y: the only value that the map is compared with.
        """
        return lambda x: y + self.misfit(self.inner(x), y)


def open_ended(graph: Graph, names: tuple[str, ...]) -> tuple[Outputs, float, float]:
    """How to compute wanted values without the clip that ends them, and the bounds of that clip.

    A single value may end in a clip, or in one behind which numbers are only moved about or the largest of
    them taken: those change places with a clip.

    Args:
        graph: the captured network.
        names: values that are wanted.

    Returns:
        A function from known values to rows ``(N, *out)``, low and high; infinite bounds where nothing clips.
    """
    node = graph.by_name.get(names[0]) if len(names) == 1 else None
    while node is not None and _changes_places(node):
        node = graph.by_name.get(node.inputs[0])
    bounds = saturation_bounds(node) if node is not None and len(node.inputs) == 1 else None
    if node is None or bounds is None:
        return lambda known: stacked(graph, evaluate(graph, known, names)), -torch.inf, torch.inf
    clip, before = node.name, node.inputs[0]

    def outputs(known: Mapping[str, Any]) -> Tensor:
        rows = known[BATCH] if BATCH in known else samples_of(graph, known)
        behind = {clip: evaluate(graph, known, (before,))[before], BATCH: rows}
        return stacked(graph, evaluate(graph, behind, names))

    return outputs, *bounds


def _changes_places(node: Node) -> bool:
    single = len(node.inputs) == 1 and not node.parts
    return single and (is_structural(node.operation) or node.operation in MONOTONE)


def equation_of(site: Site, known: Mapping[str, Any]) -> Equation:
    """The region of a site as a map from rows of its source to rows of its targets.

    Args:
        site: where.
        known: values that the region reads besides its source, by name.
    """
    outputs, low, high = open_ended(site.graph, site.targets)

    def inner(x: Tensor) -> Tensor:
        return outputs({**known, site.source: site.from_samples(site.source, x), BATCH: x.shape[0]})

    return Equation(any_batch(site.graph, inner), low, high)
