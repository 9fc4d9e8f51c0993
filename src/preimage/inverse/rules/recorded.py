"""Max pooling at known places: numbers that were read are equations, all others have an upper bound."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.capture.interpret import evaluate
from preimage.certificate import Certificate
from preimage.inverse.linear import Affine
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.recorded import MARK, POOLS
from preimage.inverse.planning.roles import Role, affine_role, saturation_bounds
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.affine import affine_of, argument
from preimage.inverse.rules.affine_inverse import snapped, source_range
from preimage.inverse.rules.moments import moments
from preimage.inverse.rules.pool import Interval, known_interval, largest
from preimage.inverse.solvers.saturated.bounds import Bounds
from preimage.inverse.solvers.saturated.regions.general import MaskedRows
from preimage.inverse.solvers.saturated.saturation import RegionSolution

ROUNDS = 8
"""How often the branches of folded numbers are chosen anew."""

COLUMNS = ("residual", "converged", "error_bound", "iterations", "condition", "nullity", "domain_violation")
"""The parts of a certificate that have one entry for each sample."""


@register_inverse(*(f"{name} {MARK}" for name in POOLS), guarantee=Guarantee.RIGHT)
def unpool(site: Site, y: Tensor) -> Solved:
    """x at a recorded place = y; elsewhere the largest number that no window contradicts."""
    lower, upper = known_interval(site, y, _places(site, y))
    known = (lower == upper).double().mean().item() if upper.numel() else 1.0
    return Solved(torch.where(upper.isinf(), largest(site, y), upper), exact=known)


def _places(site: Site, y: Tensor) -> Tensor:
    places: Tensor = site.options["places"].to(y.device)
    return places.repeat(max(1, y.shape[0] // places.shape[0]), *[1] * (places.dim() - 1))


@register_inverse("preimage::recorded", guarantee=Guarantee.CERTIFIED)
def region(site: Site, y: Tensor) -> Solved:
    """The input of an affine map from what a recorded pooling behind it read.

    Numbers that were read, and that no activation has clipped, are equations; all others are inequalities:
    in their windows they were not the largest. Solved like any saturated region, sample by sample.
    """
    chain, elementwise, pool = parts(site.graph, site.nodes)
    at_pool = Site(site.graph, (pool,), pool.inputs[0], site.target, site.values, context=site.context)
    return bounded(site, y, chain, elementwise, known_interval(at_pool, y, _places(at_pool, y)))


@register_inverse("preimage::folded", guarantee=Guarantee.CERTIFIED)
def folded(site: Site, y: Tensor) -> Solved:
    """The input of an affine map from behind a PReLU with slopes that are not positive.

    Channels with a positive slope are equations. The others fold: y >= 0 came from z = y or from z = y /
    slope, and which of the two follows from the solution of the equations.
    """
    return bounded(site, y, site.nodes[:-1], site.nodes[-1:], (y, y))


def bounded(
    site: Site, y: Tensor, chain: tuple[Node, ...], elementwise: tuple[Node, ...], interval: Interval
) -> Solved:
    """The input of an affine chain from bounds of the numbers behind its elementwise operations.

    Args:
        site: the region.
        y: what is known, ``(N, *event)``.
        chain: the affine operations.
        elementwise: what follows them.
        interval: bounds behind the last of these.
    """
    known = interval[0] == interval[1]
    bounds = interval[0].double(), interval[1].double()
    for node in reversed(elementwise):
        bounds = backward(site.graph, node, *bounds, torch.finfo(y.dtype).eps)
    affine = affine_of(site.graph, chain)
    lost = site.noise > 0.0 or (bounds[0] == bounds[1]).sum() < y.shape[0] * affine.in_size
    if lost and site.source not in site.graph.inputs:  # an inner value would mislead the layers before it
        return Solved(moments(site, y)[0].expand(y.shape[0], *site.shape), exact=0.0)
    parts_of = zip(*(bound.split(1) for bound in bounds), known.split(1), y.split(1), strict=True)
    found = [_decided(site, affine, *part) for part in parts_of]
    x = torch.cat([solution.x for solution in found])
    share = sum(solution.exact.double().mean().item() for solution in found) / max(1, len(found))
    certificate = _joined([solution.certificate for solution in found])
    return Solved(snapped(x, *source_range(site.graph, site.source)), None, certificate, share)


def _decided(
    site: Site, affine: Affine, lower: Tensor, upper: Tensor, known: Tensor, y: Tensor
) -> RegionSolution:
    """Solve; take the nearer end of every folded number as one more equation; again until nothing changes."""
    solution = _solve(affine, lower, upper, y)
    open_ended = known & lower.isfinite() & upper.isfinite() & (lower < upper)
    if not bool(open_ended.any()):
        return solution
    error, before = _misfit(site, solution.x, y), torch.zeros_like(open_ended)
    for _ in range(ROUNDS):
        high = open_ended & (affine.apply(solution.x.double()) > (lower + upper) / 2)
        low = open_ended & ~high
        if bool((high == before).all()):
            break
        trial = _solve(affine, torch.where(high, upper, lower), torch.where(low, lower, upper), y)
        misfit, before = _misfit(site, trial.x, y), high
        if not misfit < error:
            break
        solution, error = trial, misfit
    return solution


def _misfit(site: Site, x: Tensor, y: Tensor) -> float:
    """How far the region's output is from y."""
    with torch.no_grad():
        again = evaluate(site.graph, {site.source: x}, [site.target])[site.target]
    return (again - y).norm().item()


def _solve(affine: Affine, lower: Tensor, upper: Tensor, y: Tensor) -> RegionSolution:
    bounds = Bounds(lower=lower, upper=torch.maximum(lower, upper))
    return MaskedRows(affine, bounds)(bounds.nearest().to(y))


def _joined(rows: list[Certificate]) -> Certificate:
    columns = {name: torch.cat([getattr(row, name) for row in rows]) for name in COLUMNS}
    return Certificate(**columns, message="")


def parts(graph: Graph, nodes: tuple[Node, ...]) -> tuple[tuple[Node, ...], tuple[Node, ...], Node]:
    """Affine chain, elementwise operations and pooling of a region."""
    last = max(i for i, node in enumerate(nodes[:-1]) if _starts(graph, node))
    ends = next(
        (i for i in range(last + 1, len(nodes) - 1) if not _is_diagonal(graph, nodes[i])), len(nodes) - 1
    )
    return nodes[:ends], nodes[ends:-1], nodes[-1]


def _starts(graph: Graph, node: Node) -> bool:
    role = affine_role(graph, node)
    return role is not None and role.role is not Role.DIAGONAL


def _is_diagonal(graph: Graph, node: Node) -> bool:
    role = affine_role(graph, node)
    return role is not None and role.role is Role.DIAGONAL


def backward(graph: Graph, node: Node, lower: Tensor, upper: Tensor, eps: float) -> Interval:
    """The interval in front of an elementwise operation, from the one behind it, which is known to eps."""
    ends = saturation_bounds(node)
    if ends is not None:
        return before_saturation(onto(lower, *ends, eps), onto(upper, *ends, eps), *ends)
    if _is_diagonal(graph, node):
        return before_scale(lower, upper, *_scale_and_shift(graph, node))
    return before_slope(lower, upper, _slope(graph, node, lower))


def onto(bound: Tensor, low: float, high: float, eps: float) -> Tensor:
    """Numbers within rounding of a limit are moved onto it: a zero that returns as 1e-17 is no equation."""
    largest = torch.where(bound.isfinite(), bound.abs(), 0).max() if bound.numel() else 0.0
    near = eps ** (2 / 3) * largest
    bound = torch.where((bound - low).abs() < near, low, bound)
    return torch.where((bound - high).abs() < near, high, bound)


def before_saturation(lower: Tensor, upper: Tensor, low: float, high: float) -> Interval:
    """z with clamp(z, low, high) in the interval."""
    upper = torch.where(upper >= high, math.inf, upper.clamp_min(low))
    return torch.where(lower <= low, -math.inf, lower.clamp_max(high)), upper


def before_scale(lower: Tensor, upper: Tensor, scale: Tensor, shift: Tensor) -> Interval:
    """z with scale z + shift in the interval; nothing is known of z where the scale is zero."""
    safe = torch.where(scale == 0, 1.0, scale)
    one, other = (lower - shift) / safe, (upper - shift) / safe
    return (
        torch.where(scale == 0, -math.inf, torch.minimum(one, other)),
        torch.where(scale == 0, math.inf, torch.maximum(one, other)),
    )


def before_slope(lower: Tensor, upper: Tensor, slope: Tensor) -> Interval:
    """z with max(z, 0) + slope min(z, 0) in the interval.

    A negative slope folds: a number y >= 0 comes from z = y or from z = y / slope, which leaves an interval.
    """
    rising, safe = slope > 0, torch.where(slope == 0, 1.0, slope)
    lowest = torch.where(lower >= 0, lower, lower / safe)
    highest = torch.where(upper >= 0, upper, upper / safe)
    top = upper.clamp_min(0)
    folded = torch.where(slope == 0, -math.inf, top / torch.where(slope < 0, slope, -1.0))
    kept = (slope == 0) & (lower > 0)
    return (
        torch.where(rising, lowest, torch.where(kept, lower, folded)),
        torch.where(rising, highest, top),
    )


def _scale_and_shift(graph: Graph, node: Node) -> Interval:
    affine = affine_of(graph, (node,))
    zeros = next(iter(affine.tensors()), torch.empty(0)).new_zeros(1, *affine.in_shape, dtype=torch.float64)
    with torch.no_grad():
        shift = affine.apply(zeros)
        return affine.linear.apply(zeros + 1), shift


def _slope(graph: Graph, node: Node, like: Tensor) -> Tensor:
    """The slope below zero, one for all numbers or one for each channel."""
    if node.operation == "leaky_relu":
        return torch.as_tensor(argument(graph, node, 1, "negative_slope", 0.01)).to(like)
    slope = torch.as_tensor(argument(graph, node, 1, "weight")).detach().to(like)
    return slope.reshape(-1, *[1] * max(0, like.dim() - 2)) if slope.numel() > 1 else slope
