"""An affine map followed by an activation with two branches: the branch of every output, and x."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol, final

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.inverse.linear.base import Affine
from preimage.inverse.solvers.saturated.saturation import Saturation, saturation_inverse

ROUNDS = 12
"""Most rounds of choosing branches and solving again."""

FLAT = 0.05
"""Outputs whose slope is below this say too little about z to be equations."""


class Activation(Protocol):
    """What the solver needs of an activation; :class:`~preimage.inverse.planning.turning_points.TurningPoint`
    has it.
    """

    turn: float
    lowest: float

    def value(self, x: Tensor) -> Tensor:
        """phi(x)."""
        ...

    def slope(self, x: Tensor) -> Tensor:
        """phi'(x)."""
        ...

    def upper(self, y: Tensor) -> Tensor:
        """The preimage right of the lowest point."""
        ...

    def lower(self, y: Tensor) -> Tensor:
        """The preimage left of it."""
        ...

    def is_ambiguous(self, y: Tensor) -> Tensor:
        """Where there are two."""
        ...


@final
@dataclass(frozen=True)
class KnownRows(Saturation):
    """Outputs of the affine map some of which are known: a zero stands for an unknown one."""

    def equations(self, y: Tensor) -> Tensor:
        """Where z is known."""
        return y != 0

    def excess(self, z: Tensor, y: Tensor) -> Tensor:
        """Unknown outputs may be anything."""
        return torch.zeros_like(z)


@dataclass(frozen=True)
class BranchedSolution:
    """The answer of :class:`BranchedInverse`.

    Args:
        x: ``(N, *in_shape)``.
        z: the affine outputs on the chosen branches, ``(N, *out_shape)``.
        certificate: one row per sample; ``converged`` means phi(A x + b) = y within the tolerance.
        exact: where x is certified to be *the* input, bool ``(N, *positions)``.
    """

    x: Tensor
    z: Tensor
    certificate: Certificate
    exact: Tensor


@dataclass(frozen=True)
class Outputs:
    """Possible outputs and what they may come from, all ``(N, *out_shape)``.

    Args:
        y: the outputs, none below the lowest value.
        ambiguous: where there are two preimages.
        upper, lower: the preimages; equal where there is one.
    """

    y: Tensor
    ambiguous: Tensor
    upper: Tensor
    lower: Tensor


@final
class BranchedInverse:
    """x from y = phi(A x + b), where phi falls to a lowest point and rises again (SiLU, GELU, Mish).

    Where y >= 0, z is known: these rows alone are a region behind a ReLU, and its inverse predicts the other
    outputs. Each takes the branch that the prediction is nearer to, joins the equations, and everything is
    solved again until no branch changes. A position is exact where the rows without a choice determine x, or
    where all rows do, agree to rounding, and outnumber the unknowns by two at least: a wrong branch would
    show up as a contradiction.

    Args:
        affine: z = A x + b.
        activation: phi.
        prior: knowledge of x, used where the equations leave x open.

    Cost: two to four solves of a saturated region.
    """

    def __init__(self, affine: Affine, activation: Activation, prior: Saturation | None = None) -> None:
        self.affine, self.activation = affine, activation
        given = prior or Saturation()
        self._certain = saturation_inverse(affine, replace(given, low=0.0, high=math.inf))
        self._all = saturation_inverse(
            affine, KnownRows(-math.inf, math.inf, box=given.box, prior=given.prior)
        )

    @torch.no_grad()
    def __call__(self, y: Tensor, tolerance: float | None = None) -> BranchedSolution:
        """The input of the region.

        Args:
            y: outputs of the activation, ``(N, *out_shape)``; values below its lowest one are moved up to it
                and flagged.
            tolerance: relative residual that counts as converged; 1e-4 for float32, 1e-9 for float64.
        """
        for solver in (self._certain, self._all):
            solver.exact_error = 1e-5 if y.dtype == torch.float64 else 1e-3
        outputs = self._read(y)
        first = self._certain(torch.where(outputs.ambiguous, 0.0, outputs.upper))
        best = self._judge(first.x, y, first.exact)
        chosen, x = None, first.x
        for _ in range(ROUNDS):
            low = self._nearer_lower(x, outputs)
            if chosen is not None and torch.equal(low, chosen):
                break
            chosen, z = low, torch.where(low, outputs.lower, outputs.upper)
            usable = self._usable(z, outputs)
            found = self._all(usable)
            x, exact = found.x, found.exact & _like(self._all.outnumbers(usable != 0), found.exact)
            best = _better(best, self._judge(x, y, first.exact | exact))
        limit = tolerance if tolerance is not None else (1e-9 if y.dtype == torch.float64 else 1e-4)
        z = torch.where(self._nearer_lower(best.x, outputs), outputs.lower, outputs.upper)
        return replace(best, z=z, certificate=self._certificate(best.certificate, y, limit))

    def _read(self, y: Tensor) -> Outputs:
        """The possible preimages; a y within rounding of 0 may have come from far left, and tells nothing."""
        possible = y.clamp_min(self.activation.lowest)
        blurred = possible.abs() < torch.finfo(y.dtype).eps ** (2 / 3) * possible.abs().amax()
        possible = torch.where(blurred, 0.0, possible)
        ambiguous = self.activation.is_ambiguous(possible) | blurred
        upper = self.activation.upper(possible)
        lower = torch.where(ambiguous, self.activation.lower(possible), upper)
        return Outputs(possible, ambiguous, upper, lower)

    def _nearer_lower(self, x: Tensor, outputs: Outputs) -> Tensor:
        """Where the prediction A x + b is nearer to the lower branch."""
        predicted = self.affine.apply(x)
        return (predicted - outputs.lower).abs() < (predicted - outputs.upper).abs()

    def _usable(self, z: Tensor, outputs: Outputs) -> Tensor:
        """z where its output fixes it well, 0 elsewhere; behind y = 0 lie many values."""
        steep = (self.activation.slope(z).abs() >= FLAT) & (outputs.y != 0)
        return torch.where(steep | ~outputs.ambiguous, z, 0.0)

    def _judge(self, x: Tensor, y: Tensor, exact: Tensor) -> BranchedSolution:
        again = self.activation.value(self.affine.apply(x.double()))
        residual = relative_residual(again, y.double()).to(y.dtype)
        return BranchedSolution(x, y, Certificate(residual, residual <= math.inf), exact)

    def _certificate(self, found: Certificate, y: Tensor, limit: float) -> Certificate:
        below = (self.activation.lowest - y).clamp_min(0).flatten(1).amax(1)
        below = torch.where(below > 8 * torch.finfo(y.dtype).eps, below, 0.0)
        solved = (found.residual <= limit) & (below == 0)
        message = "" if bool(solved.all()) else "no choice of branches explains y within the tolerance"
        return Certificate(found.residual, solved, domain_violation=below, message=message)


def _like(flags: Tensor, exact: Tensor) -> Tensor:
    """Flags per sample or position, shaped to be joined with those of a region."""
    return flags.view(*flags.shape, *[1] * (exact.dim() - flags.dim()))


def _better(old: BranchedSolution, new: BranchedSolution) -> BranchedSolution:
    """The answer with the smaller residual, sample by sample."""
    take = new.certificate.residual <= old.certificate.residual

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(take.view(-1, *[1] * (a.dim() - 1)), a, b)

    residual = pick(new.certificate.residual, old.certificate.residual)
    certificate = Certificate(residual, residual <= math.inf)
    return BranchedSolution(pick(new.x, old.x), pick(new.z, old.z), certificate, pick(new.exact, old.exact))
