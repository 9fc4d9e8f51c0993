"""Saturating activations: unsaturated outputs are equations, saturated ones inequalities."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.capture.graph import Reference
from preimage.inverse.linear import Affine
from preimage.inverse.planning.guarantee import CERTAIN, Guarantee
from preimage.inverse.planning.roles import Role, affine_role, saturation_bounds
from preimage.inverse.prior import Prior
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.affine import affine_of
from preimage.inverse.rules.affine_inverse import snapped, source_range
from preimage.inverse.rules.moments import moments
from preimage.inverse.rules.range import within
from preimage.inverse.solvers.linear_systems.cgls import cgls
from preimage.inverse.solvers.saturated.saturation import Prior as Gaussian
from preimage.inverse.solvers.saturated.saturation import Saturation, SaturationInverse, saturation_inverse

ROUGH_TOLERANCE, ROUGH_ITERATIONS = 0.02, 20
"""When to stop where the values themselves are estimates."""


@register_inverse(
    "relu", "relu6", "hardtanh", "clamp", "clip", "clamp_min", "clamp_max", guarantee=Guarantee.RIGHT
)
def alone(site: Site, y: Tensor) -> Solved:
    """x = y, a preimage of every y in the range; saturated values were anything beyond the bound."""
    low, high = saturation_bounds(site.node) or (0.0, math.inf)
    x = y.clamp(low, high)
    saturated = ((y <= low) | (y >= high)).double().mean().item() if y.numel() else 0.0
    return within(x, x != y, y - x, site.operation, exact=1.0 - saturated)


@register_inverse("preimage::saturation", guarantee=Guarantee.CERTIFIED)
def region(site: Site, y: Tensor) -> Solved:
    """The input of an affine map from its clamped output, with a rank certificate for each position."""
    if site.noise > 0.0 or _is_hopeless(site, y):
        return Solved(estimated(site, y), exact=0.0)
    solution = prepared_region(site)(y)
    exact = solution.exact.double().mean().item() if solution.exact.numel() else 1.0
    x = snapped(solution.x, *source_range(site.graph, site.source))
    return Solved(x, None, solution.certificate, exact)


def _is_hopeless(site: Site, y: Tensor) -> bool:
    """Whether counting alone shows that an inner value is lost: fewer equations than unknowns.

    The network's own input is worth a feasible preimage even then; an inner value would only mislead the
    layers before it.
    """
    made = site.graph.shape(site.target)
    if site.source in site.graph.inputs or made[1:] != site.shape[1:] or not _is_pointwise(site):
        return False
    low, high = saturation_bounds(site.node) or (0.0, math.inf)
    equations = ((y > low) & (y < high)).sum(1)  # (N, *positions)
    return (equations >= site.shape[0]).double().mean().item() < CERTAIN


def _is_pointwise(site: Site) -> bool:
    """Whether the region is one 1x1 convolution with what belongs to it."""
    weights = [site.graph.tensor(a.name) for a in site.nodes[0].args[1:2] if isinstance(a, Reference)]
    roles = [affine_role(site.graph, node) for node in site.nodes[1:-1]]
    if any(role is None or role.role is not Role.DIAGONAL for role in roles):
        return False
    return site.nodes[0].operation.startswith("conv") and all(
        weight is not None and math.prod(weight.shape[2:]) == 1 and weight.shape[1] == site.shape[0]
        for weight in weights
    )


def estimated(site: Site, y: Tensor) -> Tensor:
    """The input from outputs that are themselves estimates: a few steps from the prior mean, then stopped.

    Conjugate gradients fit the well-determined directions first; stopping early keeps the noise of y out of
    the others (Hanke, 1995, Conjugate Gradient Type Methods for Ill-Posed Problems).
    """
    affine = affine_of(site.graph, site.nodes[:-1])
    saturation = _saturation(site, affine)
    mask = saturation.equations(y).to(y)
    mean, spread = moments(site, y)
    linear = affine.linear
    found = cgls(
        lambda u: mask * linear.apply(spread * u),
        lambda v: spread * linear.adjoint(mask * v),
        mask * (y - affine.apply(mean)),
        torch.zeros_like(mean),
        tolerance=ROUGH_TOLERANCE,
        iterations=ROUGH_ITERATIONS,
    )
    low, high = source_range(site.graph, site.source)
    return (mean + spread * found.x).clamp(low, high)


def prepared_region(site: Site) -> SaturationInverse:
    """The solver of a saturated region, factorised once for each state of the parameters."""

    def build() -> SaturationInverse:
        affine = affine_of(site.graph, site.nodes[:-1])
        return saturation_inverse(affine, _saturation(site, affine))

    if site.context is None:
        return build()
    key = ("saturation", site.source, site.node.name)
    return site.context.prepared(key, site.context.versions, build)


def _saturation(site: Site, affine: Affine) -> Saturation:
    low, high = saturation_bounds(site.node) or (0.0, math.inf)
    box = source_range(site.graph, site.source)
    known = None if site.context is None else site.context.prior(site.source)
    prior = None if known is None else gaussian(known, affine.in_shape)
    return Saturation(low, high, box if any(map(math.isfinite, box)) else None, prior)


def gaussian(prior: Prior, shape: tuple[int, ...]) -> Gaussian | None:
    """The prior of one position: its channels, independent of each other."""
    channels = shape[0] if len(shape) > 1 else math.prod(shape)
    if prior.mean.numel() != channels or prior.spread.numel() != channels:
        return None
    variance = prior.spread.reshape(-1).clamp_min(1e-6).square()
    return Gaussian(prior.mean.reshape(-1), torch.diag(variance))
