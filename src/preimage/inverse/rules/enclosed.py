"""Regions without a rule of their own, solved as equations: residual blocks, gates, anything else."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.capture.interpret import BATCH, evaluate
from preimage.inverse.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.solvers.gauss_newton import Effort, gauss_newton

PRODUCTS = 400
"""Jacobian products that a region with trusted values may cost."""

ROUGH_PRODUCTS, ROUGH_TOLERANCE = 12, 0.03
"""The same where the values are only estimates: solving more finely than they are known is wasted."""


@register_inverse("preimage::residual", guarantee=Guarantee.ITERATIVE)
def residual(site: Site, y: Tensor) -> Solved:
    """x + g(x) = y by damped Gauss-Newton steps from x = y."""
    return _solve(site, y, y.reshape(y.shape[0], *site.shape))


@register_inverse("preimage::opaque", guarantee=Guarantee.OPAQUE)
def opaque(site: Site, y: Tensor) -> Solved:
    """f(x) = y by damped Gauss-Newton steps from the prior mean, or from a fixed pattern without one."""
    return _solve(site, y, start(site, y))


def start(site: Site, y: Tensor) -> Tensor:
    """No stationary point of common functions: the prior mean, else numbers without a pattern."""
    prior = None if site.context is None else site.context.prior(site.source)
    rows = y.shape[0]
    if prior is not None:
        return prior.mean.to(y).expand(rows, *site.shape).clone()
    count = math.prod(site.shape)
    golden = torch.arange(1, count + 1, device=y.device) * 2.399963229728653  # the golden angle never repeats
    return 0.5 * golden.cos().to(y).view(1, *site.shape).expand(rows, *site.shape).clone()


def _solve(site: Site, y: Tensor, first: Tensor) -> Solved:
    trusted = site.noise == 0.0
    tolerance = default_tolerance(y.dtype) if trusted else ROUGH_TOLERANCE
    known = {name: value for name, value in site.values.items() if name != site.source}

    def region(x: Tensor) -> Tensor:
        values = evaluate(
            site.graph, {**_inside(site, known), site.source: x, BATCH: x.shape[0]}, site.targets
        )
        parts = [values[name] for name in site.targets]
        return parts[0] if len(parts) == 1 else torch.cat([part.flatten(1) for part in parts], 1)

    effort = Effort(tolerance, PRODUCTS if trusted else ROUGH_PRODUCTS)
    x, certificate = gauss_newton(region, y, first, effort=effort)
    square = math.prod(site.shape) <= y[0].numel()
    unique = trusted and certificate.ok and square
    return Solved(x.detach(), certificate=certificate, exact=1.0 - 1e-9 if unique else 0.0)


def _inside(site: Site, known: dict[str, object]) -> dict[str, object]:
    """Known values that are not functions of the unknown one."""
    moving = {node.name for node in site.nodes}
    return {name: value for name, value in known.items() if name not in moving}


def default_tolerance(dtype: torch.dtype) -> float:
    """Relative residual that counts as solved: close to what the number format can show."""
    return 1e-10 if dtype == torch.float64 else 1e-5
