"""Activations that fall before they rise: SiLU, GELU, Mish, hard swish.

Two preimages below zero, none far below.
"""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.errors import NotInvertibleError
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.turning_points import TurningPoint, turning_point
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.affine import affine_of
from preimage.inverse.rules.affine_inverse import source_range
from preimage.inverse.rules.moments import moments
from preimage.inverse.rules.range import within
from preimage.inverse.rules.saturated import gaussian
from preimage.inverse.solvers.saturated.branches import BranchedInverse
from preimage.inverse.solvers.saturated.saturation import Saturation

EDGE = 1e-3
"""How far below the lowest value of an activation its recovered values may lie."""


@register_inverse("silu", "gelu", "mish", "hardswish", guarantee=Guarantee.RIGHT)
def alone(site: Site, y: Tensor) -> Solved:
    """The more probable of the two preimages of y = phi(x); the rising branch where nothing is known of x.

    With x normal around the prior mean, a preimage x_i has the density p(x_i) / |phi'(x_i)| given y. Values
    with two preimages are not certain, whichever is taken.
    """
    point = _point(site)
    possible = y.clamp_min(point.lowest)
    ambiguous = point.is_ambiguous(possible)
    x = point.upper(possible)
    if bool(ambiguous.any()) and _is_informed(site):
        lower = torch.where(ambiguous, point.lower(possible), x)
        x = torch.where(ambiguous & _is_likelier(site, y, point, lower, x), lower, x)
    doubtful = ambiguous.double().mean().item() if y.numel() else 0.0
    outside = y < point.lowest - 4 * torch.finfo(y.dtype).eps
    return within(x, outside, y - possible, site.operation, exact=1 - doubtful)


def _is_informed(site: Site) -> bool:
    return site.context is not None and site.context.prior(site.source) is not None


def _is_likelier(site: Site, y: Tensor, point: TurningPoint, a: Tensor, b: Tensor) -> Tensor:
    """Whether a is the more probable preimage of y than b."""
    mean, spread = moments(site, y)

    def log_density(x: Tensor) -> Tensor:
        return -((x - mean) / spread).square() / 2 - point.slope(x).abs().clamp_min(1e-12).log()

    return log_density(a) > log_density(b)


@register_inverse("preimage::turning", guarantee=Guarantee.CERTIFIED)
def region(site: Site, y: Tensor) -> Solved:
    """The input of an expanding affine map from its activated output, the branch of each output included."""
    solution = prepared_branches(site)(y.detach())
    exact = solution.exact.double().mean().item() if solution.exact.numel() else 1.0
    trusted = site.noise == 0.0
    return Solved(solution.x, None, solution.certificate, exact if trusted else 0.0)


def prepared_branches(site: Site) -> BranchedInverse:
    """The solver of a region, factorised once for each state of the parameters."""

    def build() -> BranchedInverse:
        affine = affine_of(site.graph, site.nodes[:-1])
        known = None if site.context is None else site.context.prior(site.source)
        prior = None if known is None else gaussian(known, affine.in_shape)
        return BranchedInverse(affine, _point(site), Saturation(box=_box(site), prior=prior))

    if site.context is None:
        return build()
    return site.context.prepared(("turning", site.source, site.node.name), site.context.versions, build)


def _box(site: Site) -> tuple[float, float] | None:
    """The range of the activation that made the unknown value, None where it is unlimited."""
    node = site.graph.by_name.get(site.source)
    before = None if node is None else turning_point(node)
    if before is not None:
        return before.lowest - EDGE, float("inf")
    low, high = source_range(site.graph, site.source)
    return None if low == -float("inf") and high == float("inf") else (low, high)


def _point(site: Site) -> TurningPoint:
    point = turning_point(site.node)
    if point is None:
        raise NotInvertibleError(
            f"{site.operation} has no registered turning point; see register_turning_point"
        )
    return point
