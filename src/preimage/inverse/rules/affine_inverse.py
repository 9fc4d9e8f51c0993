"""Affine regions without a saturation: the pseudo-inverse, steered by the prior where numbers were lost."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.capture.interpret import evaluate, run_node
from preimage.errors import NotInvertibleError
from preimage.inverse.context import RuleContext
from preimage.inverse.determinant import log_abs_det
from preimage.inverse.linear import Affine, AffineComposition, Scale
from preimage.inverse.measured import register_measure
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.roles import Role, affine_role, saturation_bounds
from preimage.inverse.prior import Prior
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.affine import affine_of
from preimage.inverse.rules.pointwise import log_slope
from preimage.inverse.solvers import PseudoInverse, pseudo_inverse

PROJECTIONS = 12
"""Alternations between the equations and the range of the layer before; each costs two products."""


@register_inverse("preimage::affine", guarantee=Guarantee.EXACT)
def affine(site: Site, y: Tensor) -> Solved:
    """x = mean + S (A S)^+ (y - A mean - b), nearest to the prior; plain A^+ where x is determined."""
    solver = prepared(site, None)
    facts = solver.facts
    if facts.guarantee in ("exact", "left"):
        solution = solver(y.detach())
        x = polished(site, solver, y, solution.x)
        x = snapped(x, *source_range(site.graph, site.source))
        return Solved(x, _log_det(site, solver, x), solution.certificate)
    prior = None if site.context is None else site.context.prior(site.source)
    x = solver.solve(y) if prior is None else _towards(site, y, prior)
    certainty = 0.0 if facts.rank is None else min(1.0, facts.rank / max(1, facts.in_size))
    return Solved(x, exact=min(certainty, 1.0 - 1e-9))


@register_measure("affine")
def promise(graph: Graph, region: Region, context: RuleContext) -> Guarantee:
    """What the rank of the matrix promises; where it is not known, every answer has to show its residual."""
    nodes = tuple(graph.by_name[name] for name in region.nodes)
    try:
        facts = prepared(Site(graph, nodes, region.source, nodes[-1].name, context=context), None).facts
    except NotInvertibleError:
        return Guarantee.ITERATIVE  # no factorisation is affordable
    unknown = Guarantee.RIGHT if region.guarantee is Guarantee.RIGHT else Guarantee.ITERATIVE
    return unknown if facts.rank is None else PROMISES.get(facts.guarantee, Guarantee.ESTIMATE)


PROMISES = {"exact": Guarantee.EXACT, "left": Guarantee.LEFT, "right": Guarantee.RIGHT}
"""What a measured rank promises; any other one is a least-squares estimate."""


def polished(site: Site, solver: PseudoInverse, y: Tensor, x: Tensor) -> Tensor:
    """x + A^+ (y - f(x)): one Newton step, which also carries the gradients of y and of the parameters.

    By the implicit function theorem the derivative of the answer is A^+ applied to that of the residual, so
    the factorisation itself need not be differentiated.
    """
    if not torch.is_grad_enabled():
        return x
    map_ = affine_of(site.graph, site.nodes)
    inside = {node.name for node in site.nodes}
    known = {name: value for name, value in site.values.items() if name not in inside}
    again = evaluate(site.graph, {**known, site.source: x.detach()}, [site.target])[site.target]
    offset = map_.apply(torch.zeros(1, *map_.in_shape, dtype=y.dtype, device=y.device)).detach()
    return x.detach() + solver.solve(y - again + offset)


def prepared(site: Site, prior: Prior | None) -> PseudoInverse:
    """The factorised pseudo-inverse of a region, made once for each state of the parameters."""

    def build() -> PseudoInverse:
        return pseudo_inverse(whitened(affine_of(site.graph, site.nodes), prior))

    if site.context is None:
        return build()
    key = ("pseudo-inverse", site.source, site.node.name, prior is not None)
    return site.context.prepared(key, site.context.versions, build)


def whitened(affine: Affine, prior: Prior | None) -> Affine:
    """The map as a function of u, where x = mean + spread u; the mean is taken care of by the caller."""
    if prior is None:
        return affine
    return AffineComposition([Scale(prior.spread.clamp_min(1e-6), affine.in_shape), affine])


def _towards(site: Site, y: Tensor, prior: Prior) -> Tensor:
    """The solution nearest to the prior mean, pulled into the range of the layer before it."""
    solver, map_ = prepared(site, prior), affine_of(site.graph, site.nodes)
    mean, spread = prior.mean.to(y).expand(site.shape), prior.spread.clamp_min(1e-6).to(y)
    low, high = source_range(site.graph, site.source)
    forward = map_.apply(torch.zeros(1, *map_.in_shape, dtype=y.dtype, device=y.device))

    def closest(point: Tensor) -> Tensor:
        return point + spread * solver.solve(y - map_.apply(point) + forward)

    x = closest(mean.expand(y.shape[0], *site.shape))
    if low == -float("inf") and high == float("inf"):
        return x
    for _ in range(PROJECTIONS):
        x = closest(x.clamp(low, high))
    return x


def source_range(graph: Graph, name: str) -> tuple[float, float]:
    """Interval in which a value must lie because of the activation that made it."""
    node = graph.by_name.get(name)
    if node is None:
        return -float("inf"), float("inf")
    return saturation_bounds(node) or _RANGES.get(node.operation, (-float("inf"), float("inf")))


_RANGES = {
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softmax": (0.0, 1.0),
    "softplus": (0.0, float("inf")),
    "exp": (0.0, float("inf")),
}


def snapped(x: Tensor, low: float, high: float) -> Tensor:
    """Values within rounding of an end of their range are moved onto it.

    A recovered zero of a ReLU comes back as 1e-17; read as "above zero" it would be a false equation for the
    layer before. Read as zero it is a true inequality.
    """
    if x.numel() == 0 or (math.isinf(low) and math.isinf(high)):
        return x
    near = torch.finfo(x.dtype).eps ** (2 / 3) * x.detach().abs().max()
    x = torch.where(x < low + near, low, x) if math.isfinite(low) else x
    return torch.where(x > high - near, high, x) if math.isfinite(high) else x


def _log_det(site: Site, solver: PseudoInverse, x: Tensor) -> Tensor | None:
    """Minus the log abs det of every node in turn, with gradients for their parameters."""
    if solver.facts.guarantee != "exact":
        return None
    if any(math.prod(node.shape) != x.shape[1:].numel() for node in site.nodes):  # square as a whole only
        whole = log_abs_det(affine_of(site.graph, site.nodes).linear)
        return None if whole is None else -whole.to(x).expand(x.shape[0])
    total = x.new_zeros(x.shape[0])
    values: dict[str, Any] = {**site.values, site.source: x.detach()}
    for node in site.nodes:
        part = _node_log_det(site, node, values)
        if part is None:
            return None
        total = total - part
        values[node.name] = run_node(site.graph, node, values)
    return total


def _node_log_det(site: Site, node: Node, values: dict[str, Any]) -> Tensor | None:
    role = affine_role(site.graph, node)
    x: Tensor = values[node.inputs[0]]
    if role is not None and role.role is Role.DIAGONAL:
        return log_slope(site.graph, node, x, values)
    whole = log_abs_det(affine_of(site.graph, [node]).linear)
    return None if whole is None else whole.to(x).expand(x.shape[0])
