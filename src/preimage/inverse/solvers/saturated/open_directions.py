"""The choice among the solutions that the equations leave open: the prior first, then the inequalities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from preimage.inverse.solvers.linear_systems.cgls import Operator
from preimage.inverse.solvers.saturated.saturation import Prior, Saturation


@dataclass(frozen=True)
class OpenSystems:
    """Systems whose equations leave directions open.

    Args:
        matrix: A, ``(m, n)``.
        offset: b, ``(F, m)``.
        y: outputs ``(F, m)`` in the dtype in which they came.
        basis: orthonormal columns ``(F, n, n)``.
        open: columns of the basis that the equations leave open, bool ``(F, n)``.
    """

    matrix: Tensor
    offset: Tensor
    y: Tensor
    basis: Tensor
    open: Tensor

    def project(self, v: Tensor) -> Tensor:
        """The part of v, ``(F, n)``, that the equations do not see."""
        closed, keep = self._closed
        return v - (closed @ (keep * (closed.mT @ v[..., None])))[..., 0]

    @cached_property
    def _closed(self) -> tuple[Tensor, Tensor]:
        """The columns that the equations do see, without those that no system uses."""
        used = (~self.open).any(0)
        return self.basis[:, :, used].contiguous(), (~self.open)[:, used, None].to(self.basis)

    @cached_property
    def closed_single(self) -> tuple[Tensor, Tensor]:
        """The columns that the equations do see, in single precision."""
        closed, keep = self._closed
        return closed.float(), keep.float()

    def only(self, which: Tensor) -> OpenSystems:
        """Some of the systems."""
        return OpenSystems(
            self.matrix, self.offset[which], self.y[which], self.basis[which], self.open[which]
        )

    def image(self, x: Tensor) -> Tensor:
        """A x + b, ``(F, m)``."""
        return x @ self.matrix.T + self.offset


def choose(
    systems: OpenSystems, x: Tensor, saturation: Saturation, prior: Prior | None = None, rounds: int = 30
) -> Tensor:
    """Move x inside the null space of the equations: to the prior, then until every inequality holds.

    The inequalities are met by minimising ``(|excess|^2 + |x outside the box|^2) / 2`` inside the null space
    with a semi-smooth Newton method: the set of broken inequalities is fixed, the quadratic minimised by
    conjugate gradients, the step halved until it helps, and the set read again.

    Reference: Hintermüller, Ito and Kunisch (2002), https://doi.org/10.1137/S1052623401383558.

    Args:
        systems: the open systems.
        x: solutions of the equations, ``(F, n)``.
        saturation: limits and box.
        prior: Gaussian knowledge of the n unknowns; the shortest solution is taken when left out.
        rounds: upper limit of Newton steps.

    Returns:
        ``(F, n)``: still solutions of the equations.

    Cost: a few tens of products with A and A' a round.
    """
    if not x.shape[0]:
        return x
    if prior is not None:
        x = _most_probable(systems, x, prior)
    scale = systems.matrix.square().sum() / x.shape[1]
    value = _penalty(systems, x, saturation, scale)
    which, limit = torch.arange(x.shape[0], device=x.device), 1e-20 * value
    for _ in range(rounds):
        left = value > limit[which]
        if not left.any():
            break
        if left.double().mean() < 0.7:  # the rest is done: work on a smaller batch
            which, value, systems = which[left], value[left], systems.only(left)
        moved, value = _newton_step(systems, x[which], value, saturation, scale)
        x = x.index_copy(0, which, moved)
    return x


def _most_probable(systems: OpenSystems, x: Tensor, prior: Prior) -> Tensor:
    precision = torch.linalg.inv(prior.covariance.to(x))
    basis = systems.basis * systems.open[:, None, :].to(x)
    inside = basis.mT @ precision @ basis + torch.diag_embed((~systems.open).to(x))
    pull = basis.mT @ ((prior.mean.to(x) - x) @ precision)[..., None]
    return x + (basis @ torch.linalg.solve(inside, pull))[..., 0]


def _parts(systems: OpenSystems, x: Tensor, saturation: Saturation) -> tuple[Tensor, Tensor]:
    low, high = saturation.box or (-torch.inf, torch.inf)
    return saturation.excess(systems.image(x), systems.y), x - x.clamp(low, high)


def _penalty(systems: OpenSystems, x: Tensor, saturation: Saturation, scale: Tensor) -> Tensor:
    excess, outside = _parts(systems, x, saturation)
    return (excess.square().sum(1) + scale * outside.square().sum(1)) / 2


def _newton_direction(systems: OpenSystems, x: Tensor, saturation: Saturation, scale: Tensor) -> Tensor:
    excess, outside = _parts(systems, x, saturation)
    gradient = systems.project(excess @ systems.matrix + scale * outside)
    low = torch.float32  # a direction needs few digits, and memory traffic is the cost
    matrix, (closed, keep) = systems.matrix.to(low), systems.closed_single
    broken, out = (excess != 0).to(low), (scale * (outside != 0)).to(low)

    damping = 1e-3 * scale.to(low)

    def hessian(v: Tensor) -> Tensor:
        curved = (broken * (v @ matrix.T)) @ matrix + out * v
        curved = curved + damping * v
        return curved - (closed @ (keep * (closed.mT @ curved[..., None])))[..., 0]

    size = gradient.norm(dim=1, keepdim=True).clamp_min(1e-300)
    return systems.project(_conjugate_gradients(hessian, (-gradient / size).to(low)).to(x) * size)


def _conjugate_gradients(operator: Operator, right: Tensor, iterations: int = 8) -> Tensor:
    """A descent direction even when stopped early; ``(F, n)``."""
    x, residual, direction = torch.zeros_like(right), right, right
    gamma = residual.square().sum(1, keepdim=True)
    limit = 1e-6 * gamma
    for _ in range(iterations):
        active = gamma > limit
        if not active.any():
            break
        image = operator(direction)
        curvature = (direction * image).sum(1, keepdim=True)
        step = torch.where(active & (curvature > 0), gamma / curvature.clamp_min(1e-300), 0)
        x, residual = x + step * direction, residual - step * image
        fresh = residual.square().sum(1, keepdim=True)
        direction = residual + torch.where(active, fresh / gamma.clamp_min(1e-300), 0) * direction
        gamma = fresh
    return x


def _newton_step(
    systems: OpenSystems, x: Tensor, value: Tensor, saturation: Saturation, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """The longest of the steps 1, 1/2, 1/4, ... that lowers the penalty, and the new penalty."""
    direction = _newton_direction(systems, x, saturation, scale)
    best, lowest, step = x, value, 1.0
    for _ in range(16):
        trial = x + step * direction
        penalty = _penalty(systems, trial, saturation, scale)
        better = penalty < lowest
        best = torch.where(better[:, None], trial, best)
        lowest = torch.where(better, penalty, lowest)
        if (lowest < value).logical_or(value == 0).all():
            break
        step /= 2
    return best, lowest
