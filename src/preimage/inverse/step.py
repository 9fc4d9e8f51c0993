"""One step of a plan: the rule of a region, given the values of its targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
    if region.kind == "gather":
        return Solved([values[name] for name in region.targets])  # type: ignore[arg-type]
    site, y = _site(graph, region, values, noise, context), _target(graph, region, values)
    try:
        return _solve(graph, region, site, y, values)
    except RuntimeError as error:
        if isinstance(error, PreimageError) or not any(words in str(error) for words in NO_DERIVATIVE):
            raise
        return without_derivative(site, samples_of(graph, values), y, str(error).splitlines()[0])


def _solve(graph: Graph, region: Region, site: Site, y: Any, values: Mapping[str, Any]) -> Solved:
    layout = graph.layout(region.source)
    if layout is None or layout.axis == 0 or region.kind in WHEREVER or is_structural(region.kind):
        return per_sample(region.rule.solve(site, y), samples_of(graph, values))
    solved = region.rule.solve(site, site.to_samples(site.target, y))
    return replace(solved, x=site.from_samples(site.source, solved.x))


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
