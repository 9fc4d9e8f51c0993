"""From any start to f(x) = y: one attempt after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.equation import Equation
from preimage.inverse.preimages.search.relay import relay
from preimage.inverse.preimages.search.splitting import Cut, splitting
from preimage.inverse.preimages.straight_pieces.linear_programs import (
    Straight,
    by_linear_programs,
    has_linear_programs,
    straight,
)
from preimage.inverse.solvers.nonlinear.allowed import Allowed, Everywhere
from preimage.inverse.solvers.nonlinear.dual_newton import dual_newton
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.linearisation import FEW
from preimage.inverse.solvers.nonlinear.metric import Metric
from preimage.inverse.solvers.nonlinear.samplewise import Found, better_of

STARTS = ((1.0, 0.1), (1.0, 0.5), (1.0, 2.0), (0.0, 1.0), (0.0, 4.0))
"""Where unsolved samples are started again: a part of the start, and noise relative to the start's size."""

SMALL = 2**18
"""Most numbers in the matrix of a linear program that is tried unasked: some tenths of a second each."""

BRIEF = 100
"""Products below which a search is taken at its word, though a better method would need more for a step."""

STATIONS = (0.25, 0.5, 0.75, 1.0)
"""Where the last attempt stops on the straight way from f(start) to y."""


def _nothing() -> None:
    """No other way."""


@final
@dataclass(frozen=True)
class Reach:
    """Solves f(x) = y near a start.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently; an ``Equation``
            where it ends in a clip.
        effort: tolerance and limits of each attempt.
        metric: what changes of x are likely; the identity when None.
        allowed: the set that x must not leave.
        guess: another start for samples that are not solved; None where there is none.
        cut: the network cut at its elementwise functions, for samples that are not solved then; None where it
            cannot be cut.
    """

    f: Callable[[Tensor], Tensor]
    effort: Effort
    metric: Metric | None = None
    allowed: Allowed = field(default_factory=Everywhere)
    guess: Callable[[], Tensor | None] = _nothing
    cut: Callable[[], Cut | None] = _nothing

    def once(self, y: Tensor, start: Tensor) -> Found:
        """Steps with J written down where f has few outputs; where it has many, whatever method gets on.

        J costs a gradient an output. Where that is too much, or more than a brief search was granted, it runs
        in coordinates in which the allowed set has no bounds.
        """
        equation, inside = Equation.of(self.f), self.allowed.inside
        if self._is_written(y):
            return dual_newton(
                equation.inner,
                y,
                start,
                effort=self.effort,
                metric=self.metric,
                allowed=self.allowed,
                misfit=equation.misfit,
            )
        u, certificate = relay(
            lambda u: equation.inner(inside(u)),
            y,
            self.allowed.coordinates(start),
            effort=self.effort,
            metric=self.metric,
            misfit=equation.misfit,
        )
        return inside(u), certificate

    def persistently(self, y: Tensor, start: Tensor) -> Found:
        """Once; then, for samples that are not solved, one way after the other.

        From another guess; by linear programs, for networks of straight pieces and where scipy is installed;
        by splitting the network, which no local minimum stops; from the start with noise, since behind a dead
        rectifier f has no gradient; at last by continuation, which follows the solution while the wanted
        value moves from f(start) to y on a straight way. Maps with many outputs get the one attempt: each
        costs them all the products that were granted.
        """
        found = self.once(y, start)
        if not self._is_written(y):
            return found
        if not found[1].ok and (guess := self.guess()) is not None:
            found = self._again(found, y, guess, Reach.once)
        if not found[1].ok and (cut := self.cut()) is not None:
            if (program := straight(cut, y, SMALL)) is not None and has_linear_programs():
                found = self._again(found, y, start, partial(Reach._programmed, program=program))
            found = self._again(found, y, start, partial(Reach._split, cut=cut))
        for seed, (part, spread) in enumerate(STARTS):
            found = self._again(found, y, _noisy(start, part, spread, seed), Reach.once)
        return self._again(found, y, _noisy(start, *STARTS[0], seed=0), Reach._continued)

    def _programmed(self, y: Tensor, start: Tensor, program: Straight) -> Found:
        return by_linear_programs(program, y, start, polish=self.once, allowed=self.allowed, nodes=0)[0]

    def _is_written(self, y: Tensor) -> bool:
        """Whether J is written down."""
        outputs, granted = prod(y.shape[1:]), self.effort.max_products
        return outputs <= FEW and (outputs <= granted or granted >= BRIEF)

    def _split(self, y: Tensor, start: Tensor, cut: Cut) -> Found:
        return splitting(
            self.f, y, start, cut=cut, polish=self.once, effort=self.effort, allowed=self.allowed
        )

    def _again(
        self, found: Found, y: Tensor, start: Tensor, method: Callable[[Reach, Tensor, Tensor], Found]
    ) -> Found:
        """Try unsolved samples from another start, and keep the better answer of each."""
        certificate = found[1]
        rows = (~certificate.converged).nonzero()[:, 0]
        ended = self.effort.watch is not None and bool(self.effort.watch.ended)
        if ended or not len(rows):
            return found
        later = method(replace(self, allowed=self.allowed.of(rows)), y[rows], start[rows])
        return better_of(found, rows, later)

    def _continued(self, y: Tensor, x: Tensor) -> Found:
        with torch.no_grad():
            first = self.f(x)
        found = x, Certificate(relative_residual(first, y), y.new_zeros(len(y)) > 0)
        for part in STATIONS:
            found = self.once(first + part * (y - first), found[0])
        return found


def _noisy(start: Tensor, part: float, spread: float, seed: int) -> Tensor:
    """Part of the start with noise of a generator of its own, the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(start.shape, generator=generator, dtype=torch.float64).to(start)
    size = start.flatten(1).square().mean(1).sqrt().clamp_min(0.1)
    return part * start + spread * size.view(-1, *[1] * (start.dim() - 1)) * noise
