"""Move towards f(x) = y with few gradients: limited-memory quasi-Newton steps in the metric of the errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, final

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.errors import ShapeError
from preimage.inverse.solvers.linear_systems.least_squares import over, squared_norm
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric
from preimage.inverse.solvers.nonlinear.watch import drive

MEMORY = 10  # pairs of steps and gradient changes that are remembered
LENGTHS = (1.0, 0.3, 0.1)  # parts of a step that are tried before it is refused
PATIENCE = 5  # refused steps in a row after which a sample is given up


class Pair(NamedTuple):
    """A step and the change of the gradient, ``(N, *in)``, and 1 / their product or 0, ``(N,)``."""

    step: Tensor
    change: Tensor
    weight: Tensor


@torch.no_grad()
def quasi_newton(
    f: Callable[[Tensor], Tensor],
    y: Tensor,
    start: Tensor,
    *,
    effort: Effort | None = None,
    metric: Metric | None = None,
    misfit: Callable[[Tensor, Tensor], Tensor] = torch.sub,
    weigh: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, Certificate]:
    """Lower ``|f(start + S u) - y|^2`` over u from u = 0, by L-BFGS, with ``M = S S^T`` the metric.

    All changes of x lie in the range of ``M J^T``, as for Gauss-Newton steps of least norm: what f does not
    see stays as it was, and what M calls improbable hardly moves. One gradient an iteration makes it the
    cheaper of the two where a few per cent of residual are enough; Gauss-Newton is the one that converges
    to machine precision.

    Reference: D. Liu and J. Nocedal, On the limited memory BFGS method, 1989,
    https://doi.org/10.1007/BF01589116.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        effort: tolerance and limits.
        metric: M; the identity when None.
        misfit: what counts as the residual of values ``f(x)`` for wanted ``y``; their difference unless, say,
            y is known to be saturated where f is not.
        weigh: a linear map of residuals ``(K, *out)`` of the samples ``rows (K,)``; what is lowered, and what
            tolerance and certificate speak of, is the size of what it returns. The identity when None.

    Returns:
        x ``(N, *in)``, the best found, and a certificate whose ``iterations`` counts products with the
        transposed Jacobian.

    Raises:
        ShapeError: when f(start) has not the shape of y.

    Cost: an evaluation and a product with the transposed Jacobian an iteration; memory of 20 inputs.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = quasi_newton(lambda x: x + 0.5 * x.sin(), y, y)
        >>> certificate.ok, bool((x + 0.5 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """
    search = _Descent(f, y, start, effort or Effort(), metric or Identity(), misfit, weigh)
    drive(search, search.effort.watch)
    return search.x, search.certificate()


@final
class _Descent:
    """The state of all samples; every sample has its own curvature, step length and end."""

    def __init__(
        self,
        f: Callable[[Tensor], Tensor],
        y: Tensor,
        start: Tensor,
        effort: Effort,
        metric: Metric,
        misfit: Callable[[Tensor, Tensor], Tensor] = torch.sub,
        weigh: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self.f, self.y, self.effort, self.metric, self.misfit = f, y, effort, metric, misfit
        self.weigh = weigh or _as_it_is
        self.start, self.u = start.detach(), torch.zeros_like(start)
        everything = torch.arange(len(y), device=y.device)
        self.size = squared_norm(self.weigh(y, everything))
        self.error, self.gradient = self._evaluate(self.u, everything)
        self.products, self.refused = torch.ones_like(everything), torch.zeros_like(everything)
        self.pairs: deque[Pair] = deque(maxlen=MEMORY)

    @property
    def x(self) -> Tensor:
        """The best inputs found, ``(N, *in)``."""
        return self.start + self.metric.root(self.u)

    def running(self) -> Tensor:
        """Indices of the samples that are neither solved nor given up."""
        relative = self.relative()
        unsolved = relative.isfinite() & (relative > self.effort.tolerance)
        able = (self.products < self.effort.max_products) & (self.refused < PATIENCE)
        return (unsolved & able).nonzero()[:, 0]

    def relative(self) -> Tensor:
        """``|f(x) - y| / |y|`` of every sample, both weighed, ``(N,)``."""
        return (self.error / torch.where(self.size > 0, self.size, 1.0)).sqrt()

    def step(self, rows: Tensor) -> None:
        """One step of the samples ``rows (K,)``."""
        direction, u, gradient = self._direction(), self.u.clone(), self.gradient.clone()
        left = rows
        for length in LENGTHS:
            left = self._try(left, length * direction[left])
            if not len(left):
                break
        moved = (self.u != u).flatten(1).any(1)
        self.refused[rows] = torch.where(moved, 0, self.refused + 1)[rows]
        self._remember(self.u - u, self.gradient - gradient)

    def certificate(self) -> Certificate:
        """The evidence; the count of iterations is the count of products with the transposed Jacobian."""
        residual = self.relative()
        converged = residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else "the quasi-Newton search stopped before the tolerance"
        return Certificate(residual, converged, iterations=self.products, message=message)

    def _try(self, rows: Tensor, change: Tensor) -> Tensor:
        """Keep the change where it lowers the residual, and return the other rows."""
        trial = self.u[rows] + change
        error, gradient = self._evaluate(trial, rows)
        self.products[rows] += 1
        better = error < self.error[rows]
        kept = rows[better]
        self.u[kept], self.error[kept], self.gradient[kept] = trial[better], error[better], gradient[better]
        return rows[~better & (self.products[rows] < self.effort.max_products)]

    def _evaluate(self, u: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """``|y - f(x)|^2 (K,)`` and its gradient by u, ``(K, *in)``."""
        x = self.start[rows] + self.metric.root(u)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = self.f(x)
            if value.shape[1:] != self.y.shape[1:]:
                raise ShapeError(f"f returns {tuple(value.shape)} where y has shape {tuple(self.y.shape)}")
            error = squared_norm(self.weigh(self.misfit(value, self.y[rows]), rows))
            (gradient,) = torch.autograd.grad(error.sum(), x, materialize_grads=True)
        return error.detach(), self.metric.root_transpose(gradient)

    def _direction(self) -> Tensor:
        """Minus the inverse Hessian estimate times the gradient, by the two-loop recursion, ``(N, *in)``."""
        q, taken = self.gradient, []
        for pair in reversed(self.pairs):
            taken.append(pair.weight * _dot(pair.step, q))
            q = q - over(taken[-1], q) * pair.change
        q = over(self._scale(), q) * q
        for pair, along in zip(self.pairs, reversed(taken), strict=True):
            q = q + over(along - pair.weight * _dot(pair.change, q), q) * pair.step
        return -q

    def _scale(self) -> Tensor:
        """Size of the inverse Hessian: from the last step, or as if the residual could vanish, ``(N,)``."""
        scale = 0.5 * self.error / _positive(squared_norm(self.gradient)) * 0.1**self.refused
        for pair in self.pairs:
            known = 1 / _positive(pair.weight * squared_norm(pair.change))
            scale = torch.where(pair.weight > 0, known, scale)
        return scale

    def _remember(self, step: Tensor, change: Tensor) -> None:
        """Keep the pair where the gradient grew along it; forget all pairs where a step was refused."""
        product = _dot(step, change)
        grew = product > 1e-8 * (squared_norm(step) * squared_norm(change)).sqrt()
        weight = torch.where(grew, 1 / _positive(product), 0.0)
        kept = (self.refused == 0).to(weight)
        older = [pair._replace(weight=pair.weight * kept) for pair in self.pairs]
        self.pairs = deque([*older, Pair(step, change, weight)], maxlen=MEMORY)


def _as_it_is(residual: Tensor, rows: Tensor) -> Tensor:
    return residual


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(1)


def _positive(x: Tensor) -> Tensor:
    return x.clamp_min(torch.finfo(x.dtype).tiny)
