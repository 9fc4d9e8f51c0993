"""Newton steps for the equations that matter most at the moment, where there are too many for all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.solvers.effort import Effort
from preimage.inverse.solvers.least_squares import squared_norm
from preimage.inverse.solvers.linearisation import Dense
from preimage.inverse.solvers.metric import Metric
from preimage.inverse.solvers.watch import drive

Map = Callable[[Tensor], Tensor]

WRONG, LARGE = 48, 48
"""Equations of a step: those that are missed most, and those whose values are largest."""

DAMPINGS = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Dampings that are tried in every step, relative to the size of J J'; the best is kept."""

ENOUGH = 0.98
"""A sample is given up when a step leaves more than this part of its squared residual."""


@torch.no_grad()
def block_newton(
    f: Map, y: Tensor, start: Tensor, *, effort: Effort | None = None, metric: Metric | None = None
) -> tuple[Tensor, Certificate]:
    """Find x near the start with ``f(x) = y`` by least-norm steps for a few outputs at a time.

    A step writes down the rows of J for the outputs that are most wrong, and for the largest ones, which must
    not be spoilt, and takes ``d = M J_B' (J_B M J_B')^-1 r_B``. It is kept, or a part of it, where it lowers
    the residual of all outputs. It pays where most outputs hardly count, as the thousand probabilities behind
    a softmax, of which some tens make up nearly all.

    Reference: D. Needell and J. Tropp, Paved with good intentions: analysis of a randomized block Kaczmarz
    method, 2014, https://doi.org/10.1016/j.laa.2012.12.022, for linear equations.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        effort: tolerance and limits.
        metric: what changes of x are likely; the identity when None.

    Returns:
        x ``(N, *in)`` and its certificate, whose ``iterations`` counts products with the transposed Jacobian.

    Cost: a step takes as many products as there are outputs, 97 at most.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = block_newton(lambda x: x + 0.5 * x.sin(), y, y)
        >>> certificate.ok, bool((x + 0.5 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """
    search = _Search(f, y, start, effort or Effort(), metric)
    drive(search, search.effort.watch)
    return search.x, search.certificate()


@final
class _Search:
    """The state of all samples."""

    def __init__(self, f: Map, y: Tensor, start: Tensor, effort: Effort, metric: Metric | None) -> None:
        self.f, self.y, self.effort, self.metric = f, y, effort, metric
        self.x, self.residual = start.detach().clone(), y - f(start)
        self.products = torch.zeros(len(y), dtype=torch.long, device=y.device)
        self.refused = torch.zeros(len(y), dtype=torch.bool, device=y.device)
        self.outputs = prod(y.shape[1:])

    def running(self) -> Tensor:
        """Indices of the samples that are neither solved nor given up."""
        error = self.relative()
        unsolved = error.isfinite() & (error > self.effort.tolerance)
        return (unsolved & (self.products < self.effort.max_products) & ~self.refused).nonzero()[:, 0]

    def relative(self) -> Tensor:
        """``|f(x) - y| / |y|`` of every sample, ``(N,)``."""
        return relative_residual(self.y - self.residual, self.y)

    def step(self, rows: Tensor) -> None:
        """One step of the samples ``rows (K,)``."""
        block = self._block(rows)  # (K, B)
        x = self.x[rows]
        linear = Dense(lambda x: self.f(x).flatten(1).gather(1, block), x, self.metric)
        missing = self.residual[rows].flatten(1).gather(1, block)
        self.products[rows] += block.shape[1] + 1
        before = squared_norm(self.residual[rows])
        for damping in DAMPINGS:
            self._try(rows, linear.correction(missing, torch.full_like(missing[:, 0], damping)), x)
        self.refused[rows] = squared_norm(self.residual[rows]) > ENOUGH * before

    def _block(self, rows: Tensor) -> Tensor:
        """Places of the outputs of a step, each once, ``(K, B)``."""
        wrong = self.residual[rows].flatten(1).abs()
        large = (self.y - self.residual)[rows].flatten(1).abs()
        first = wrong.topk(min(WRONG, self.outputs)).indices
        large = large.scatter(1, first, -1.0)  # those are taken
        return torch.cat([first, large.topk(min(LARGE, self.outputs - first.shape[1])).indices], 1)

    def _try(self, rows: Tensor, change: Tensor, x: Tensor) -> None:
        """Keep the change of x where the residual is the lowest so far."""
        residual = self.y[rows] - self.f(x + change)
        better = squared_norm(residual) < squared_norm(self.residual[rows])
        kept = rows[better]
        self.x[kept], self.residual[kept] = (x + change)[better], residual[better]

    def certificate(self) -> Certificate:
        """The evidence."""
        residual = self.relative()
        converged = residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else "steps for a few outputs at a time got no further"
        return replace(Certificate(residual, converged, iterations=self.products), message=message)
