"""Square nonlinear systems by continuation: from a problem with an answer, step by step to the one asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton, jacobian_matrix
from preimage.inverse.solvers.nonlinear.maps import Map
from preimage.inverse.solvers.nonlinear.samplewise import one_by_one

STEPS, CORRECTIONS, FINISHING = 40, 7, 10
"""Most steps along the path, most corrections of each, and most Newton steps at its end."""

NEAR = 1e-4
"""Distance from the path, relative to the first residual, at which a step counts as corrected."""

FIRST, LONGEST, SHORTEST = 0.3, 1.0, 1e-3
"""Lengths of steps, relative to the first residual."""

AWAY = 4.0
"""A correction that moves further than so many steps is refused."""


@torch.no_grad()
def continuation(
    f: Map, y: Tensor, start: Tensor, *, tolerance: float, steps: int = STEPS, jacobian: Map | None = None
) -> tuple[Tensor, Certificate]:
    """Find x with ``f(x) = y`` along the path of solutions of ``(1 - t) (x - start) + t (f(x) - y) = 0``.

    At t = 0 the start is the only solution, and t = 1 is the problem asked. Where ``f(x) - x`` is bounded,
    as behind a ReLU6 or a hyperbolic tangent, the path cannot run off: it ends at a solution for every y and
    from almost every start, at the price of turning back now and then. Newton's method, which asks for less
    residual at every step, gets stuck at such turns. The path is followed by its length, with t as one more
    unknown; its direction is the one that keeps the sign of the determinant, also across the kinks of
    piecewise linear maps.

    Samples are solved one by one.

    Reference: Allgower and Georg (2003), Introduction to Numerical Continuation Methods,
    https://doi.org/10.1137/1.9780898719154.

    Args:
        f: a differentiable map ``(N, *event) -> (N, *out)`` with as many numbers out as in, rows independent.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *event)``.
        tolerance: relative residual at which a sample is solved.
        steps: upper limit for each sample.
        jacobian: from one sample ``(1, *event)`` to the Jacobian of f, ``(n, n)``; by automatic
            differentiation when left out.

    Returns:
        x ``(N, *event)``, and a certificate with the steps used.

    Cost: about four Jacobians and factorisations of n unknowns a step, ``n^3`` each; 5 to 10 steps are usual.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = continuation(lambda x: x + 3 * x.sin(), y, y, tolerance=1e-6)
        >>> certificate.ok, bool((x + 3 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """
    slopes = jacobian or partial(jacobian_matrix, f)

    def solve(y: Tensor, start: Tensor) -> tuple[Tensor, int]:
        return _solve(_Path(f, slopes, y, start), tolerance, steps)

    return one_by_one(f, y, start, tolerance, solve, "continuation ended before the path did")


def _solve(path: _Path, tolerance: float, steps: int) -> tuple[Tensor, int]:
    """One sample: x and the steps used."""
    if not 0 < path.scale < float("inf"):
        return path.start, 0
    x, used = path.end(steps)
    better, _ = dense_newton(path.f, path.y, x, tolerance=tolerance, steps=FINISHING)
    return better, used


@final
@dataclass(frozen=True)
class _Point:
    """A point of the path and the direction in which it goes on, ``(n + 1,)`` each: x, then t."""

    at: Tensor
    direction: Tensor


@final
class _Path:
    """The solutions of one sample's homotopy; t is measured in units of the first residual."""

    def __init__(self, f: Map, jacobian: Map, y: Tensor, start: Tensor) -> None:
        self.f, self.y, self.start, self._jacobian = f, y, start, jacobian
        self.scale = (f(start) - y).double().norm().item()

    def end(self, steps: int) -> tuple[Tensor, int]:
        """The x at which t = 1 is passed, or the last one that was reached, and the steps taken."""
        point, length = self._first(), FIRST * self.scale
        for step in range(steps):
            found = None
            while found is None:
                found, hard = self._corrected(point, length)
                length *= 0.5 if found is None else 1.6 if hard <= 2 else 1.0
                if length < SHORTEST * self.scale:
                    return self._x(point.at), step
            length = min(length, LONGEST * self.scale)
            if found[-1] >= self.scale:
                return self._x(found), step + 1
            point = _Point(found, self._direction(found, point.direction))
        return self._x(point.at), steps

    def _first(self) -> _Point:
        start = self.start.double().flatten()
        upwards = torch.cat([torch.zeros_like(start), start.new_ones(1)])
        at = torch.cat([start, start.new_zeros(1)])
        return _Point(at, self._direction(at, upwards))

    def _x(self, at: Tensor) -> Tensor:
        return at[:-1].view_as(self.start).to(self.start)

    def _corrected(self, point: _Point, length: float) -> tuple[Tensor | None, int]:
        """The point of the path so far ahead, by Newton steps, and how many it took."""
        at = point.at + length * point.direction
        for count in range(CORRECTIONS):
            miss = torch.cat([self._homotopy(at), ((at - point.at) @ point.direction - length)[None]])
            if miss.norm() <= NEAR * self.scale:
                return at, count
            change, info = torch.linalg.solve_ex(self._matrix(at, point.direction), miss)
            at = at - change
            if bool(info) or not (at - point.at).norm() <= AWAY * length:
                break
        return None, CORRECTIONS

    def _homotopy(self, at: Tensor) -> Tensor:
        x, t = self._x(at), at[-1] / self.scale
        moved = (x - self.start).double().flatten()
        return (1 - t) * moved + t * (self.f(x) - self.y).double().flatten()

    def _matrix(self, at: Tensor, direction: Tensor) -> Tensor:
        """The derivative of the homotopy in x and t above the direction, ``(n + 1, n + 1)``."""
        x, t = self._x(at), at[-1] / self.scale
        inner = t * self._jacobian(x).double()
        inner.diagonal().add_(1 - t)
        slope = (self.f(x) - self.y).double().flatten() - (x - self.start).double().flatten()
        return torch.cat([torch.cat([inner, slope[:, None] / self.scale], 1), direction[None]])

    def _direction(self, at: Tensor, last: Tensor) -> Tensor:
        """The tangent of the path, turned so that the determinant with it below is positive."""
        factor, pivots = torch.linalg.lu_factor(self._matrix(at, last))
        end = torch.zeros_like(last)
        end[-1] = 1.0
        tangent = torch.linalg.lu_solve(factor, pivots, end[:, None])[:, 0]
        swaps = (pivots != torch.arange(1, len(pivots) + 1, device=pivots.device)).sum()
        negative = (factor.diagonal() < 0).sum() + swaps
        return tangent / tangent.norm() * (1 - 2 * (negative % 2))
