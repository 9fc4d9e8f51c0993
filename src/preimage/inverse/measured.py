"""Promises corrected by the numbers of a network: shapes allow a rank, only the weights reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from preimage.capture.graph import Graph
from preimage.inverse.context import RuleContext
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.plan import Plan, overall
from preimage.inverse.planning.region import Region

Measure = Callable[[Graph, Region, RuleContext], Guarantee]

BY_SHAPE = frozenset({Guarantee.EXACT, Guarantee.LEFT, Guarantee.RIGHT})
"""Promises that are made for every y, and that the numbers may break."""

_MEASURES: dict[str, Measure] = {}


def register_measure(*kinds: str) -> Callable[[Measure], Measure]:
    """Register what the numbers say of a region's promise.

    Args:
        *kinds: kinds of regions: ``affine``, or the name of an operation.

    Returns:
        A decorator of ``(graph, region, context) -> Guarantee`` that returns the function unchanged.
    """

    def register(measure: Measure) -> Measure:
        _MEASURES.update(dict.fromkeys(kinds, measure))
        return measure

    return register


def measured_promise(graph: Graph, region: Region, context: RuleContext) -> Guarantee:
    """What a region promises with its present weights; never more than its shapes allow."""
    measure = _MEASURES.get(region.kind)
    if measure is None or region.guarantee not in BY_SHAPE:
        return region.guarantee
    return max(region.guarantee, measure(graph, region, context), key=lambda promise: promise.rank)


def measured(graph: Graph, found: Plan, context: RuleContext) -> Plan:
    """A plan whose promises hold for the present weights.

    A linear map of the right shape may still forget something: a convolution with fewer independent filters
    than it has inputs, a batch norm with a factor of zero. The rank is that of a complete factorisation in
    float64, where one is affordable; elsewhere the promise is *iterative*, since a small residual alone does
    not tell that a solution is the only one. Plans that promise less from shapes are returned as they are.

    Args:
        graph: the captured network.
        found: the plan by shapes.
        context: keeps the factorisations, which the inverse itself uses.

    Cost:
        The factorisation of every affine map of the plan, the same that its first run needs.
    """
    if found.guarantee not in BY_SHAPE or found.is_joint:
        return found
    steps = tuple(
        replace(step, guarantee=measured_promise(graph, step, context)) if isinstance(step, Region) else step
        for step in found.steps
    )
    return replace(found, steps=steps, guarantee=overall(graph, replace(found, steps=steps)))
