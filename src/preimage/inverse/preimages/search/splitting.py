"""f(x) = y as a point that two sets share, found by the Douglas-Rachford method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.certificate import Certificate, relative_residual
from preimage.inverse.preimages.search.wiring import Sight, Wiring, wiring
from preimage.inverse.solvers.nonlinear.allowed import Allowed
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.samplewise import Found

Polish = Callable[[Tensor, Tensor], Found]
"""A local solver: y and a start to x and its certificate."""

GRANTED = 25
"""Iterations for each Jacobian product that the effort grants."""

LAP = 50
"""Iterations between two looks."""

RELAXED = 0.9
"""Part of the way from one shadow to the other; below 1, cycles die out."""

NEAR = 0.02
"""Relative residual below which a local solver is tried."""


@final
@dataclass(frozen=True)
class AffineSet:
    """All ``w = (x, q, z)`` with ``(z, y) = L (x, q) + b`` for a given y.

    Args:
        matrix: the rows of ``C w = c``, ``(hidden + outputs, inputs + 2 hidden)``.
        offset: b, ``(hidden + outputs,)``.
        inverse: the pseudo-inverse of C.
        hidden: number of z.
    """

    matrix: Tensor
    offset: Tensor
    inverse: Tensor
    hidden: int

    def project(self, w: Tensor, y: Tensor) -> Tensor:
        """The nearest point of the set."""
        right = self.offset.expand(len(w), -1).clone()
        right[:, self.hidden :] -= y
        return w - (w @ self.matrix.T + right) @ self.inverse.T


@final
@dataclass(frozen=True)
class Cut:
    """A network cut at its elementwise functions, the rest of it written down.

    Args:
        wiring: the functions.
        affine: the rest.
    """

    wiring: Wiring
    affine: AffineSet


@torch.no_grad()
def cut_at_functions(graph: Graph, names: tuple[str, ...], see: Sight, like: Tensor) -> Cut | None:
    """Cut the network at its elementwise functions; None where what is left is too large or not affine.

    Args:
        graph: the captured network.
        names: the values that are wanted.
        see: what counts of them.
        like: decides dtype and device of the network.

    Cost: a forward pass for each number of the input and of the functions, 2048 at most, and a symmetric
    eigenvalue problem of that size.
    """
    wired = wiring(graph, names, see)
    if wired is None:
        return None
    count, hidden = wired.inputs + wired.hidden, wired.hidden
    units = torch.eye(count, dtype=like.dtype, device=like.device)
    offset = wired.between(torch.zeros_like(units[:1]))  # (1, hidden + outputs)
    matrix = (wired.between(units) - offset).T  # (hidden + outputs, inputs + hidden)
    trial = torch.randn(3, count, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)
    linear, seen = trial @ matrix.T + offset, wired.between(trial)
    if not bool((relative_residual(linear, seen) < torch.finfo(like.dtype).eps ** 0.5).all()):
        return None
    minus = torch.zeros(len(matrix), hidden, dtype=torch.float64, device=like.device)
    minus[:hidden] = -torch.eye(hidden, dtype=torch.float64, device=like.device)
    whole = torch.cat([matrix.double(), minus], 1)
    inverse = whole.T @ torch.linalg.pinv(whole @ whole.T, hermitian=True)
    return Cut(wired, AffineSet(whole, offset[0].double(), inverse, hidden))


@torch.no_grad()
def splitting(
    f: Callable[[Tensor], Tensor],
    y: Tensor,
    start: Tensor,
    *,
    cut: Cut,
    polish: Polish,
    effort: Effort,
    allowed: Allowed,
) -> Found:
    """Find x with ``f(x) = y`` where following the slope of f leads nowhere.

    In the space of all inputs x, operands z and results q of the elementwise functions, an answer is a
    point of two sets: of A, where everything between the functions is as the network has it and the outputs
    are y, and of B, where ``q = phi(z)`` and x is allowed. A is affine and B falls apart into single numbers,
    so both have projections, and ``w <- w + a (P_A(2 P_B w - w) - P_B w)`` looks for a common point. Unlike
    descent it is not stopped by local minima. Near an answer a local solver takes over.

    Reference: J. Douglas and H. Rachford, 1956; V. Elser, I. Rankenburg and P. Thibault, Searching with
    iterated maps, 2007, https://doi.org/10.1073/pnas.0606359104.

    Args:
        f: the network, ``(N, *in) -> (N, *out)``.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        cut: the network cut at its elementwise functions.
        polish: the local solver.
        effort: tolerance, limit, and who watches.
        allowed: where x may lie.

    Returns:
        x ``(N, *in)`` and its certificate, whose ``iterations`` counts projections. Not converged does not
        mean that there is no answer.

    Cost: an iteration is a product with a matrix of ``inputs + 2 hidden`` columns and ``hidden + outputs``
    rows, and eighteen evaluations of the elementwise functions; 25 iterations for each product that is
    granted, 5000 by default.
    """
    search = _Search(f, y, start, cut, allowed, effort)
    for _ in range(max(1, GRANTED * effort.max_products // LAP)):
        rows = search.running()
        if not len(rows):
            break
        search.iterate(rows)
        search.look(rows, polish)
    return search.x, search.certificate()


@final
class _Search:
    """The state of all samples, in float64."""

    def __init__(
        self,
        f: Callable[[Tensor], Tensor],
        y: Tensor,
        start: Tensor,
        cut: Cut,
        allowed: Allowed,
        effort: Effort,
    ) -> None:
        self.f, self.y, self.wiring, self.affine = f, y, cut.wiring, cut.affine
        self.allowed, self.effort, self.x = allowed, effort, allowed.project(start.clone())
        self.residual = relative_residual(f(self.x), y)
        z, q = self.wiring.forward(self.x)
        self.w = torch.cat([self.x.flatten(1), q, z], 1).double()
        self.iterations = torch.zeros(len(y), dtype=torch.long, device=y.device)

    def running(self) -> Tensor:
        """Samples that are not solved."""
        ended = self.effort.watch is not None and bool(self.effort.watch.ended)
        return ((self.residual > self.effort.tolerance) & (not ended)).nonzero()[:, 0]

    def iterate(self, rows: Tensor) -> None:
        """One lap of the samples ``rows (K,)``."""
        w, y, allowed = self.w[rows], self.y[rows].flatten(1).double(), self.allowed.of(rows)
        for _ in range(LAP):
            shadow = self._on_graphs(w, allowed)
            w = w + RELAXED * (self.affine.project(2 * shadow - w, y) - shadow)
        self.w[rows] = w
        self.iterations[rows] += LAP

    def look(self, rows: Tensor, polish: Polish) -> None:
        """Keep what is better than before, solved by the local solver where that is near."""
        shadow = self._on_graphs(self.w[rows], self.allowed.of(rows))
        x = self._inputs(shadow)
        residual = relative_residual(self.f(x), self.y[rows])
        self._keep(rows, x, residual)
        close = rows[(residual < NEAR) & (self.residual[rows] > self.effort.tolerance)]
        if len(close):
            x, evidence = polish(self.y[close], self.x[close])
            self._keep(close, x, evidence.residual)

    def certificate(self) -> Certificate:
        """The evidence of the best answers."""
        converged = self.residual <= self.effort.tolerance
        message = "" if bool(converged.all()) else "no answer was found by splitting the network"
        return Certificate(self.residual, converged, iterations=self.iterations, message=message)

    def _on_graphs(self, w: Tensor, allowed: Allowed) -> Tensor:
        """The nearest point at which x is allowed and ``q = phi(z)``."""
        _, q, z = w.split([self.wiring.inputs, self.wiring.hidden, self.wiring.hidden], 1)
        z, q = self.wiring.nearest(z.to(self.y), q.to(self.y))
        return torch.cat([allowed.project(self._inputs(w)).flatten(1), q, z], 1).double()

    def _inputs(self, w: Tensor) -> Tensor:
        return w[:, : self.wiring.inputs].to(self.y).view(-1, *self.x.shape[1:])

    def _keep(self, rows: Tensor, x: Tensor, residual: Tensor) -> None:
        better = residual < self.residual[rows]
        kept = rows[better]
        self.x[kept], self.residual[kept] = x[better], residual[better]
