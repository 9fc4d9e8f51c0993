"""One step of a plan: the rule of a region, given the values of its targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from preimage.capture.graph import Graph
from preimage.capture.interpret import samples_of
from preimage.errors import PreimageError
from preimage.inverse.context import RuleContext
from preimage.inverse.evidence import per_sample, without_derivative
from preimage.inverse.packing import stacked
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.roles import is_structural
from preimage.inverse.registry import Site, Solved

NO_DERIVATIVE = ("is not implemented", "no autograd formula", "does not require grad")
"""Words by which PyTorch says that an operation cannot be differentiated."""

WHEREVER = frozenset({"residual", "opaque", "assemble", "module"})
"""Kinds of regions whose rules see values as the network holds them."""


def solve_region(
    graph: Graph, region: Region, values: Mapping[str, Any], noise: float, context: RuleContext
) -> Solved:
    """Invert one region, given the values of its targets and of what it reads.

    Args:
        graph: the captured network.
        region: the step.
        values: known values by name.
        noise: relative error that the targets are believed to carry.
        context: prepared factorisations and priors.
    """
    return begin_region(graph, region, values, noise, context).finished()


def begin_region(
    graph: Graph, region: Region, values: Mapping[str, Any], noise: float, context: RuleContext
) -> Solved:
    """As :func:`solve_region`; a long search that the rule knows besides is left to the caller."""
    if region.kind == "gather":
        return Solved([values[name] for name in region.targets])  # type: ignore[arg-type]
    site, y = _site(graph, region, values, noise, context), _target(graph, region, values)
    samples, as_held = samples_of(graph, values), _is_held(graph, region)

    def run(search: Callable[[], Solved]) -> Solved:
        try:
            solved = search()
        except RuntimeError as error:
            if isinstance(error, PreimageError) or not any(words in str(error) for words in NO_DERIVATIVE):
                raise
            return without_derivative(site, samples, y, str(error).splitlines()[0])
        more = None if solved.more is None else partial(run, solved.more)
        if as_held:
            return replace(per_sample(solved, samples), more=more)
        return replace(solved, x=site.from_samples(site.source, solved.x), more=more)

    return run(lambda: region.rule.solve(site, y if as_held else site.to_samples(site.target, y)))


def _is_held(graph: Graph, region: Region) -> bool:
    """Whether the rule sees values as the network holds them, instead of one row a sample."""
    layout = graph.layout(region.source)
    return layout is None or layout.axis == 0 or region.kind in WHEREVER or is_structural(region.kind)


def _site(
    graph: Graph, region: Region, values: Mapping[str, Any], noise: float, context: RuleContext
) -> Site:
    nodes = tuple(graph.by_name[name] for name in region.nodes)
    module, targets = context.module(region), region.targets
    return Site(graph, nodes, region.source, targets[-1], values, noise, module, targets, context)


def _target(graph: Graph, region: Region, values: Mapping[str, Any]) -> Any:
    if len(region.targets) == 1:
        return values[region.targets[0]]
    return stacked(graph, {name: values[name] for name in region.targets})
