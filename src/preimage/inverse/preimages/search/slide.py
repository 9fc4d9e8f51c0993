"""Move along the set {x : f(x) = y} towards what is better, and never off it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.preimages.priors.objective import Objective
from preimage.inverse.solvers.linear_systems.least_squares import over
from preimage.inverse.solvers.nonlinear.allowed import Allowed, Everywhere
from preimage.inverse.solvers.nonlinear.dual_newton import dual_newton
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.linearisation import linearise

Map = Callable[[Tensor], Tensor]

SHORTEST = 1e-4
"""A sample whose steps had to become shorter than this part stays where it is."""

LONGEST = 8.0
"""Longest multiple of an objective's own step."""

BLOCKED = 1e-6
"""A sample has arrived when f forbids all but this part of the step that the objective wants."""


@final
@dataclass(frozen=True)
class Slid:
    """Where a slide ended.

    Args:
        x: ``(N, *in)``.
        certificate: of f(x) = y.
        open: the part of the wanted step that f leaves open at the end, ``(N,)``: 0 at a point where the
            Karush-Kuhn-Tucker conditions hold.
    """

    x: Tensor
    certificate: Certificate
    open: Tensor


@torch.no_grad()
def slide(
    f: Map,
    y: Tensor,
    x: Tensor,
    objective: Objective,
    *,
    effort: Effort,
    steps: int = 50,
    allowed: Allowed | None = None,
) -> Slid:
    """Lower the objective over ``{x : f(x) = y}``, starting from a solution.

    Predictor: the step that the objective wants, less what f would see of it, in the objective's metric.
    Corrector: Gauss-Newton steps of least norm back to f(x) = y. A step is kept when the corrected x solves
    the equation and the objective fell; else it is shortened. For half a squared distance the predictor is
    the exact answer to the linearised problem, so piecewise linear networks take few steps.

    Reference: D. Luenberger (1972), https://doi.org/10.1287/mnsc.18.11.620, gradient projection along
    geodesics; P.-A. Absil, R. Mahony, R. Sepulchre, Optimization Algorithms on Matrix Manifolds, 2008.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: ``(N, *out)``.
        x: solutions to start from, ``(N, *in)``; samples that are no solution stay as they are.
        objective: what to lower.
        effort: tolerance and limits of the corrector.
        steps: at most so many.
        allowed: the set that x must not leave; everywhere when None.

    Cost: a step linearises f and runs the corrector once or a few times.

    Example:
        >>> from preimage.inverse.preimages.priors.objective import Distance
        >>> f = lambda x: x.sum(1, keepdim=True)
        >>> start, effort = torch.tensor([[3.0, 0.0, 0.0]]), Effort(1e-6)
        >>> slide(f, torch.tensor([[3.0]]), start, Distance(torch.zeros(1, 3)), effort=effort).x
        tensor([[1., 1., 1.]])
    """
    journey = _Slide(f, y, x, objective, effort, allowed or Everywhere())
    for _ in range(steps):
        rows = journey.running()
        if not len(rows):
            break
        journey.step(rows)
    return journey.slid()


@final
class _Slide:
    """All samples of a slide."""

    def __init__(
        self, f: Map, y: Tensor, x: Tensor, objective: Objective, effort: Effort, allowed: Allowed
    ) -> None:
        self.f, self.y, self.objective, self.effort, self.allowed = f, y, objective, effort, allowed
        self.outputs, self.x = prod(y.shape[1:]), x.clone()
        self.value = objective.value(x)  # (N,)
        self.length = torch.ones_like(self.value)
        self.open = torch.ones_like(self.value)
        self.products = torch.zeros(len(y), dtype=torch.long, device=y.device)
        self.solved = relative_residual(f(x), y) <= effort.tolerance

    def running(self) -> Tensor:
        moving = (self.length > SHORTEST) & (self.open > BLOCKED)
        return (self.solved & moving).nonzero()[:, 0]

    def step(self, rows: Tensor) -> None:
        """One predictor and corrector of the samples ``rows (K,)``."""
        x, y = self.x[rows], self.y[rows]
        part, allowed = self.objective.of(rows), self.allowed.of(rows)
        linear = linearise(self.f, x, self.outputs, self.objective.metric)
        goal = part.toward(x)
        change = allowed.change(linear, x, goal, y - linear.value, torch.zeros_like(self.value[rows]))
        wish, way = (v.flatten(1).square().sum(1).sqrt() for v in (goal - x, change))
        self.open[rows] = way / wish.clamp_min(torch.finfo(x.dtype).tiny)
        trial = allowed.project(x + over(self.length[rows], x) * change)
        trial, evidence = dual_newton(
            self.f, y, trial, effort=self.effort, metric=self.objective.metric, allowed=allowed
        )
        value = part.value(trial)
        kept = evidence.converged & (value < self.value[rows])
        self.products[rows] += evidence.iterations + min(self.outputs, 2 * self.effort.inner)
        good = rows[kept]
        gain = (self.value[good] - value[kept]) / self.value[good].abs().clamp_min(1e-300)
        self.x[good], self.value[good] = trial[kept], value[kept]
        self.length[good] = (2 * self.length[good]).clamp_max(LONGEST if self._polyak else 1.0)
        self.open[good] = torch.where(gain > torch.finfo(x.dtype).eps, self.open[good], 0.0)
        self.length[rows[~kept]] /= 4

    @property
    def _polyak(self) -> bool:
        return type(self.objective).toward is Objective.toward

    def slid(self) -> Slid:
        residual = relative_residual(self.f(self.x), self.y)
        converged = residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else "no preimage was found from which to move"
        certificate = Certificate(residual, converged, iterations=self.products, message=message)
        return Slid(self.x, replace(certificate, message=message), self.open)
