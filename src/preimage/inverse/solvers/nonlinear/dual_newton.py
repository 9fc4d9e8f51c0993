"""Reach f(x) = y by steps solved on the output side, inside a set, from hard starts too."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.solvers.linear_systems.least_squares import squared_norm
from preimage.inverse.solvers.nonlinear.allowed import Allowed, Everywhere
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.linearisation import Linearisation, linearise
from preimage.inverse.solvers.nonlinear.maps import Map, Misfit, value_at
from preimage.inverse.solvers.nonlinear.metric import Metric
from preimage.inverse.solvers.nonlinear.watch import drive

LENGTHS = (1.0, 0.5, 0.2)
"""Parts of a step that are tried before the damping is raised."""

LADDER = 6
"""How often the damping is raised in one step."""

FIRST, FACTOR = 1e-6, 30.0
"""The damping after the first refusal, and the factor of the next ones; relative to the size of J J'."""

PATIENCE = 3
"""Refused steps in a row after which a sample is given up."""


@torch.no_grad()
def dual_newton(
    f: Map,
    y: Tensor,
    start: Tensor,
    *,
    effort: Effort | None = None,
    metric: Metric | None = None,
    allowed: Allowed | None = None,
    misfit: Misfit = torch.sub,
) -> tuple[Tensor, Certificate]:
    """Find x near ``start`` with ``f(x) = y`` and x in a set, by Gauss-Newton steps on the output side.

    Each step is the smallest d (in the metric) with ``J d = y - f(x)`` for which x + d is allowed: without
    bounds ``d = M J' (J M J' + lambda s)^-1 (y - f(x))``, one system with as many unknowns as f has outputs.
    A step that does not lower the residual is shortened, then damped more, sample by sample.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, sections 10.3 and 18.4.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        effort: tolerance and limits.
        metric: M; the identity when None. With bounds it must be the identity.
        allowed: the set; everywhere when None.
        misfit: what counts as the residual of values ``f(x)`` for wanted ``y``; their difference unless, say,
            y is known to be saturated where f is not.

    Returns:
        x ``(N, *in)`` and its certificate; ``iterations`` counts products as Gauss-Newton does, where writing
        down J counts as many as f has outputs.

    Raises:
        ShapeError: when f(start) has not the shape of y.

    Cost: a step takes as many products as f has outputs where these are few, else two an inner iteration.

    Example:
        >>> y = torch.tensor([[2.0]])
        >>> f = lambda x: x.square().sum(1, keepdim=True)
        >>> x, certificate = dual_newton(f, y, torch.tensor([[0.5, 0.5, 0.0]]))
        >>> certificate.ok, [round(v, 3) for v in x[0].tolist()]
        (True, [1.0, 1.0, 0.0])
    """
    search = _Search(f, y, start, effort or Effort(), metric, allowed or Everywhere(), misfit)
    drive(search, search.effort.watch)
    return search.x, search.certificate()


@final
class _Search:
    """The state of all samples; a step works on the rows that are still running."""

    def __init__(
        self,
        f: Map,
        y: Tensor,
        start: Tensor,
        effort: Effort,
        metric: Metric | None,
        allowed: Allowed,
        misfit: Misfit,
    ) -> None:
        self.f, self.y, self.effort, self.metric, self.allowed = f, y, effort, metric, allowed
        self.misfit = misfit
        self.x = allowed.project(start.detach().clone())
        value = value_at(f, self.x, y)
        self.outputs = prod(y.shape[1:])
        self.residual = -misfit(value, y)  # (N, *out)
        self.products = torch.zeros(len(y), dtype=torch.long, device=y.device)  # (N,)
        self.damping = torch.zeros(len(y), dtype=y.dtype, device=y.device)  # (N,)
        self.refused = torch.zeros_like(self.products)

    def running(self) -> Tensor:
        """Indices of the samples that are neither solved nor given up."""
        error = self.relative()
        unsolved = error.isfinite() & (error > self.effort.tolerance)
        return (unsolved & (self.products < self._budget()) & (self.refused < PATIENCE)).nonzero()[:, 0]

    def _budget(self) -> int:
        """Twenty steps at least: one step may cost more products than the user thought of."""
        return max(self.effort.max_products, 20 * min(self.outputs, 2 * self.effort.inner))

    def relative(self) -> Tensor:
        """``|f(x) - y| / |y|`` of every sample, ``(N,)``."""
        return relative_residual(self.y - self.residual, self.y)

    def step(self, rows: Tensor) -> None:
        """One step of the samples ``rows (K,)``."""
        wanted = self.y[rows]
        linear = linearise(lambda x: self.misfit(self.f(x), wanted), self.x[rows], self.outputs, self.metric)
        self.products[rows] += min(self.outputs, 2 * self.effort.inner) + 1
        left = torch.arange(len(rows), device=rows.device)
        for _ in range(LADDER):
            left = self._try(linear, rows, left)
            if not len(left):
                break
            worse = rows[left]
            self.damping[worse] = (FACTOR * self.damping[worse]).clamp_min(FIRST)
        self.refused[rows] = 0
        self.refused[rows[left]] = PATIENCE  # J stays what it is, and no damping helped
        self.damping[rows] = torch.where(self.damping[rows] > FIRST, self.damping[rows] / FACTOR, 0.0)

    def _try(self, linear: Linearisation, rows: Tensor, left: Tensor) -> Tensor:
        """Keep the first of a few lengths that lowers the residual; the rows for which none did."""
        at, allowed = self.x[rows], self.allowed.of(rows)
        change = allowed.change(linear, at, at, self.residual[rows], self.damping[rows])
        for length in LENGTHS:
            here = rows[left]
            trial = self.allowed.of(here).project(self.x[here] + length * change[left])
            residual = -self.misfit(self.f(trial), self.y[here])
            better = squared_norm(residual) < (1 - 1e-2 * length) * squared_norm(self.residual[here])
            kept = here[better]
            self.x[kept], self.residual[kept] = trial[better], residual[better]
            left = left[~better]
            if not len(left):
                break
        return left

    def certificate(self) -> Certificate:
        """The evidence; the count of iterations is the count of Jacobian products."""
        residual = self.relative()
        converged = residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else "the search stopped before it reached the tolerance"
        return Certificate(residual, converged, iterations=self.products, message=message)


def joined(first: Certificate, later: Certificate) -> Certificate:
    """The later evidence with the products of both."""
    return replace(later, iterations=first.iterations + later.iterations)
