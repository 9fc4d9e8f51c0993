"""f(x) = y of a region whose last operation may clip: what the clip hides of x is looked at before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import BATCH, evaluate
from preimage.inverse.packing import any_batch, stacked
from preimage.inverse.planning.roles import saturation_bounds
from preimage.inverse.registry import Site

Map = Callable[[Tensor], Tensor]


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


def clipped(graph: Graph, names: tuple[str, ...]) -> tuple[tuple[str, ...], float, float]:
    """The values behind some names, where a single name is a clip of another value, and its bounds.

    Args:
        graph: the captured network.
        names: values that are wanted.

    Returns:
        Names of what is clipped, low and high; the names themselves and infinite bounds where nothing is.
    """
    node = graph.by_name.get(names[0]) if len(names) == 1 else None
    bounds = saturation_bounds(node) if node is not None and len(node.inputs) == 1 else None
    return (names, -torch.inf, torch.inf) if node is None or bounds is None else ((*node.inputs,), *bounds)


def equation_of(site: Site, known: Mapping[str, Any]) -> Equation:
    """The region of a site as a map from rows of its source to rows of its targets.

    Args:
        site: where.
        known: values that the region reads besides its source, by name.
    """
    names, low, high = clipped(site.graph, site.targets)

    def inner(x: Tensor) -> Tensor:
        unknown = {site.source: site.from_samples(site.source, x), BATCH: x.shape[0]}
        values = evaluate(site.graph, {**known, **unknown}, names)
        return stacked(site.graph, {name: values[name] for name in names})

    return Equation(any_batch(site.graph, inner), low, high)
