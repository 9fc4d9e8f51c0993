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

    Where y lies between the bounds, ``f(x) = y`` and ``inner(x) = y`` say the same. But f has no slope where
    it clips, so a solver that once has such an output beyond a bound never gets it back. The solvers
    therefore lower :meth:`misfit`, which looks behind the clip at those outputs; both have the same zeros.

    Args:
        inner: what is clipped, ``(N, *in) -> (N, *out)``, rows independent.
        low, high: the bounds; infinite where nothing is clipped.
    """

    inner: Map
    low: float = -torch.inf
    high: float = torch.inf

    def __call__(self, x: Tensor) -> Tensor:
        """``f(x)``, ``(N, *out)``."""
        return self.inner(x).clamp(self.low, self.high)

    def misfit(self, value: Tensor, y: Tensor) -> Tensor:
        """What values ``inner(x)`` lack of wanted outputs y, ``(N, *out)``."""
        between = (y > self.low) & (y < self.high)
        return torch.where(between, value, value.clamp(self.low, self.high)) - y

    def seen_from(self, y: Tensor) -> Map:
        """A map with the zeros of ``f(x) - y`` for a single sample's y, ``(1, *out)``, which never hides.

        Args:
            y: the only value that the map is compared with.
        """
        return lambda x: y + self.misfit(self.inner(x), y)


def equation_of(site: Site, known: Mapping[str, Any]) -> Equation:
    """The region of a site as a map from rows of its source to rows of its targets.

    Args:
        site: where.
        known: values that the region reads besides its source, by name.
    """
    names, bounds = _last(site.graph, site.targets)
    targets = site.targets if bounds is None else (names,)
    low, high = bounds or (-torch.inf, torch.inf)

    def inner(x: Tensor) -> Tensor:
        unknown = {site.source: site.from_samples(site.source, x), BATCH: x.shape[0]}
        values = evaluate(site.graph, {**known, **unknown}, targets)
        return stacked(site.graph, {name: values[name] for name in targets})

    return Equation(any_batch(site.graph, inner), low, high)


def _last(graph: Graph, targets: tuple[str, ...]) -> tuple[str, tuple[float, float] | None]:
    """What the only target clips, and between which bounds; no bounds where it does not."""
    node = graph.by_name.get(targets[0]) if len(targets) == 1 else None
    if node is None or len(node.inputs) != 1:
        return "", None
    return node.inputs[0], saturation_bounds(node)
