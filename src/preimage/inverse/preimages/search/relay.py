"""Many equations: Gauss-Newton or quasi-Newton steps, whichever gets on."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.gauss_newton import gauss_newton
from preimage.inverse.solvers.nonlinear.maps import Map, Misfit, value_at
from preimage.inverse.solvers.nonlinear.metric import Metric
from preimage.inverse.solvers.nonlinear.quasi_newton import quasi_newton

LAP = 40
"""Products of the first lap of a method; a later lap is as long as all its earlier ones together."""


class Method(Protocol):
    """A solver of f(x) = y that starts anywhere and counts Jacobian products."""

    def __call__(
        self, f: Map, y: Tensor, start: Tensor, *, effort: Effort, metric: Metric | None, misfit: Misfit
    ) -> tuple[Tensor, Certificate]:
        """The best x found and its certificate."""
        ...


METHODS: tuple[Method, ...] = (quasi_newton, gauss_newton)
"""The runners, in the order in which they start: far from an answer, Gauss-Newton steps may go anywhere."""


@torch.no_grad()
def relay(
    f: Map,
    y: Tensor,
    start: Tensor,
    *,
    effort: Effort | None = None,
    metric: Metric | None = None,
    misfit: Misfit = torch.sub,
    methods: tuple[Method, ...] = METHODS,
) -> tuple[Tensor, Certificate]:
    """Solve ``f(x) = y`` by several methods that hand x over to each other, sample by sample.

    A Gauss-Newton step costs tens of Jacobian products and converges fast near a solution, or wherever f is
    nearly linear. A quasi-Newton step costs one and gets on where thousands of equations of very different
    size leave conjugate gradients no time to solve a Gauss-Newton system. Which of them pays cannot be told
    beforehand, so it is measured: a method keeps the work while its rate ``log |r_before / r_after|`` a
    product promises to arrive within the budget; else the method with the best last rate goes on, and one
    that has none yet counts as better than any.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, chapters 7 and 10, for the methods.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        effort: tolerance and limits of all laps together.
        metric: what changes of x are likely; the identity when None.
        misfit: what counts as the residual of values ``f(x)`` for wanted ``y``; their difference unless, say,
            y is known to be saturated where f is not.
        methods: the runners.

    Returns:
        x ``(N, *in)``, and a certificate whose ``iterations`` counts the products of all methods.

    Raises:
        ShapeError: when f(start) has not the shape of y.

    Cost: at most ``effort.max_products`` products.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = relay(lambda x: x + 0.5 * x.sin(), y, y)
        >>> certificate.ok, bool((x + 0.5 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """
    race = _Race(f, y, start, effort or Effort(), metric, misfit, methods)
    while race.lap():
        pass
    return race.x, race.certificate()


@final
class _Race:
    """Where every sample is, what each method has spent on it, and how fast it was last."""

    def __init__(
        self,
        f: Map,
        y: Tensor,
        start: Tensor,
        effort: Effort,
        metric: Metric | None,
        misfit: Misfit,
        methods: tuple[Method, ...],
    ) -> None:
        self.f, self.y, self.effort, self.metric, self.methods = f, y, effort, metric, methods
        self.misfit = misfit
        value = value_at(f, start, y)
        self.x, self.residual = start.detach().clone(), relative_residual(y + misfit(value, y), y)
        self.rate = self.residual.new_full((len(methods), len(y)), torch.inf)
        self.spent = torch.zeros(len(methods), len(y), dtype=torch.long, device=y.device)
        self.last = torch.zeros(len(y), dtype=torch.long, device=y.device)
        self.message = ""

    @property
    def products(self) -> Tensor:
        """Of all methods, ``(N,)``."""
        return self.spent.sum(0)

    def lap(self) -> bool:
        """One lap of every sample by the method whose turn it is; whether any sample ran."""
        choice, running = self._choice(), self._running()
        for number in range(len(self.methods)):
            rows = (running & (choice == number)).nonzero()[:, 0]
            if len(rows):
                self._run(number, rows)
        return bool(running.any())

    def _running(self) -> Tensor:
        ended = self.effort.watch is not None and bool(self.effort.watch.ended)
        unsolved = self.residual.isfinite() & (self.residual > self.effort.tolerance)
        return unsolved & (self.products < self.effort.max_products) & (self.rate > 0).any(0) & (not ended)

    def _choice(self) -> Tensor:
        """The last method where it will arrive in time, else the one with the best rate, ``(N,)``."""
        own = self.rate.gather(0, self.last[None])[0]
        way = (self.residual / self.effort.tolerance).clamp_min(1).log()
        arrives = own * (self.effort.max_products - self.products) >= way
        return torch.where(arrives, self.last, self.rate.max(0).indices)

    def _run(self, number: int, rows: Tensor) -> None:
        left = self.effort.max_products - int(self.products[rows].max())
        length = min(max(LAP, int(self.spent[number, rows].max())), max(1, left))
        x, found = self.methods[number](
            self.f,
            self.y[rows],
            self.x[rows],
            effort=replace(self.effort, max_products=length),
            metric=self.metric,
            misfit=self.misfit,
        )
        after = torch.where(found.residual.isfinite(), found.residual, self.residual[rows])
        better = after < self.residual[rows]
        gain = (self.residual[rows] / after.clamp_min(torch.finfo(after.dtype).tiny)).log()
        self.spent[number, rows] += found.iterations.clamp_min(1)
        self.rate[number, rows] = gain.clamp_min(0) / found.iterations.clamp_min(1)
        self.x[rows[better]], self.residual[rows[better]] = x[better], after[better]
        self.last[rows], self.message = number, found.message

    def certificate(self) -> Certificate:
        """The evidence of the best answers."""
        converged = self.residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else self.message
        return Certificate(self.residual, converged, iterations=self.products, message=message)
