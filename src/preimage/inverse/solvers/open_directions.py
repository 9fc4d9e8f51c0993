"""The choice among the solutions that the equations leave open: inequalities first, then the prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.inverse.solvers.saturation import Prior, Saturation

Rows = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class OpenSystems:
    """Systems whose equations leave directions open.

    Args:
        matrix: A, ``(m, n)``.
        offset: b, ``(F, m)``.
        y: outputs ``(F, m)`` in the dtype in which they came.
        null: orthonormal columns ``(F, n, n)``.
        open: columns of ``null`` that may be used, bool ``(F, n)``.
    """

    matrix: Tensor
    offset: Tensor
    y: Tensor
    null: Tensor
    open: Tensor


def choose(
    systems: OpenSystems, x: Tensor, saturation: Saturation, prior: Prior | None = None, rounds: int = 12
) -> Tensor:
    """Move x inside the null space of the equations until inequalities hold and the prior is served.

    Minimises |excess|^2 / 2 + |x outside the box|^2 / 2 + mu (x - mean)' C^-1 (x - mean) / 2 by a semi-smooth
    Newton method: the set of broken inequalities is fixed, the quadratic solved, the set read again.

    Reference: Hintermüller, Ito and Kunisch (2002), https://doi.org/10.1137/S1052623401383558.

    Args:
        systems: the open systems.
        x: solutions of the equations, ``(F, n)``.
        saturation: limits and box.
        prior: Gaussian knowledge of the n unknowns; zero mean and equal variances when left out.
        rounds: upper limit of Newton steps.

    Returns:
        ``(F, n)``: still solutions of the equations.

    Cost: one Cholesky factorisation of ``(n, n)`` a system and round.
    """
    if not x.shape[0]:
        return x
    mean, precision = _prior(prior, x)
    scale = systems.matrix.square().sum() / x.shape[1]
    weight = 1e-7 * scale
    previous: Tensor | None = None
    for _ in range(rounds):
        gradient, hessian, broken = _penalty(systems, x, saturation, scale)
        gradient = gradient + weight * (x - mean) @ precision
        x = x + _step(systems, hessian + weight * precision, gradient)
        if previous is not None and torch.equal(previous, broken):
            break
        previous = broken
    return x


def _prior(prior: Prior | None, x: Tensor) -> tuple[Tensor, Tensor]:
    n = x.shape[1]
    if prior is None:
        return x.new_zeros(n), torch.eye(n, dtype=x.dtype, device=x.device)
    covariance = prior.covariance.to(x)
    precision = torch.linalg.inv(covariance)
    return prior.mean.to(x), precision * (n / precision.diagonal().sum())


def _penalty(systems: OpenSystems, x: Tensor, saturation: Saturation, scale: Tensor) -> Rows:
    z = x @ systems.matrix.T + systems.offset
    excess = saturation.excess(z, systems.y)
    low, high = saturation.box or (-torch.inf, torch.inf)
    outside = x - x.clamp(low, high)
    gradient = excess @ systems.matrix + scale * outside
    weighted = (excess != 0).to(x)[:, :, None] * systems.matrix
    hessian = systems.matrix.T @ weighted + scale * torch.diag_embed((outside != 0).to(x))
    return gradient, hessian, torch.cat([excess != 0, outside != 0], 1)


def _step(systems: OpenSystems, hessian: Tensor, gradient: Tensor) -> Tensor:
    """The Newton step inside the null space."""
    basis = systems.null * systems.open[:, None, :].to(hessian)
    projected = basis.mT @ hessian @ basis + torch.diag_embed((~systems.open).to(hessian))
    factor = torch.linalg.cholesky_ex(projected).L
    inside = torch.cholesky_solve(basis.mT @ gradient[..., None], factor)
    return -(basis @ inside)[..., 0]
