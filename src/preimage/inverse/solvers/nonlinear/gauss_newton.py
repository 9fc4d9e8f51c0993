"""Solve f(x) = y by damped Gauss-Newton steps of least norm, with Jacobian products only."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.solvers.linear_systems.least_squares import damped_least_squares, squared_norm
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.jacobian import Jacobian
from preimage.inverse.solvers.nonlinear.maps import Map, Misfit, value_at
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric
from preimage.inverse.solvers.nonlinear.watch import drive

__all__ = ["Effort", "gauss_newton"]


LENGTHS = (1.0, 0.5, 0.25)  # parts of a step that are tried before it is refused
FORCING = 0.03  # a step is exact enough when its gradient has shrunk by this factor
GIVE_UP = 1e12  # a damping beyond which no step helps


@torch.no_grad()
def gauss_newton(
    f: Map,
    y: Tensor,
    start: Tensor,
    *,
    effort: Effort | None = None,
    metric: Metric | None = None,
    misfit: Misfit = torch.sub,
) -> tuple[Tensor, Certificate]:
    """Find x near ``start`` with ``f(x) = y``, by the Levenberg-Marquardt method.

    Each step is ``x <- x + M J^T (J M J^T + lambda)^-1 (y - f(x))``: of all changes that explain the
    residual, the one that M, the covariance of what is likely wrong with x, makes most probable. What f
    does not see stays as it was. The step is found by conjugate gradients on ``min |J S u - r|^2 + lambda
    |u|^2`` with ``M = S S^T`` and ``x += S u``. A step that does not lower the residual is refused, sample
    by sample, and the damping lambda raised; after a good step it is lowered.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, sections 7.1 and 10.3.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        effort: tolerance and limits.
        metric: M; the identity when None.
        misfit: what counts as the residual of values ``f(x)`` for wanted ``y``; their difference unless, say,
            y is known to be saturated where f is not.

    Returns:
        x ``(N, *in)``, and a certificate whose ``iterations`` counts Jacobian products. A sample that did
        not reach the tolerance, or met NaN, is marked not converged, and keeps its best x.

    Raises:
        ShapeError: when f(start) has not the shape of y.

    Cost: a step linearises f (two evaluations) and takes two products an inner iteration, of about one
    evaluation each; memory of one recorded evaluation.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = gauss_newton(lambda x: x + 0.5 * x.sin(), y, y)
        >>> certificate.ok, bool((x + 0.5 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """
    search = _Search(f, y, start, effort or Effort(), metric or Identity(), misfit)
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
        metric: Metric,
        misfit: Misfit,
    ) -> None:
        self.f, self.y, self.effort, self.metric, self.misfit = f, y, effort, metric, misfit
        self.x = start.detach().clone()
        value = value_at(f, self.x, y)
        self.residual = -misfit(value, y)  # (N, *out)
        self.damping = torch.full_like(squared_norm(self.residual), effort.damping)  # (N,)
        self.products = torch.zeros(len(y), dtype=torch.long, device=y.device)  # (N,)

    def running(self) -> Tensor:
        """Indices of the samples that are neither solved nor given up."""
        error = self.relative()
        unsolved = error.isfinite() & (error > self.effort.tolerance)
        return (unsolved & (self.products < self.effort.max_products) & (self.damping < GIVE_UP)).nonzero()[
            :, 0
        ]

    def relative(self) -> Tensor:
        """``|f(x) - y| / |y|`` of every sample, ``(N,)``."""
        return relative_residual(self.y - self.residual, self.y)

    def step(self, rows: Tensor) -> None:
        """One Levenberg-Marquardt step of the samples ``rows (K,)``."""
        wanted, left = self.y[rows], self.effort.max_products - int(self.products[rows].min())
        jacobian = Jacobian(lambda x: self.misfit(self.f(x), wanted), self.x[rows])
        solved = damped_least_squares(
            lambda u: jacobian.push(self.metric.root(u)),
            lambda v: self.metric.root_transpose(jacobian.pull(v)),
            self.residual[rows],
            self.damping[rows],
            iterations=max(1, min(self.effort.inner, (left - 1) // 2)),
            tolerance=FORCING,
        )
        self.products[rows] += 2 * solved.iterations + 1
        gain = self._take(rows, self.metric.root(solved.solution), squared_norm(solved.residual))
        factor = torch.where(gain > 0.75, 0.2, torch.where(gain > 0.25, 1.0, 5.0))
        damping = (self.damping[rows] * factor).clamp_min(torch.finfo(self.y.dtype).eps ** 2)
        self.damping[rows] = damping.to(self.damping)

    def _take(self, rows: Tensor, change: Tensor, predicted: Tensor) -> Tensor:
        """Keep the first of a few halved steps that lowers the residual; return actual over predicted."""
        before, gain = squared_norm(self.residual[rows]), torch.zeros_like(predicted)
        left = torch.arange(len(rows), device=rows.device)
        for length in LENGTHS:
            trial = self.x[rows[left]] + length * change[left]
            residual = -self.misfit(self.f(trial), self.y[rows[left]])
            after = squared_norm(residual)
            better = after < before[left]
            kept = rows[left[better]]
            self.x[kept], self.residual[kept] = trial[better], residual[better]
            drop = (before - predicted)[left].clamp_min(torch.finfo(self.y.dtype).tiny)
            gain[left[better]] = ((before[left] - after) / drop)[better] * length
            left = left[~better]
            if not len(left):
                break
        return gain

    def certificate(self) -> Certificate:
        """The evidence; the count of iterations is the count of Jacobian products."""
        residual = self.relative()
        converged = residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else "Gauss-Newton stopped before it reached the tolerance"
        return Certificate(residual, converged, iterations=self.products, message=message)
