"""Ridge regression from moments, with a ridge per target component chosen on pictures that were left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.errors import DomainError
from preimage.inverse.calibrate.moments import Moments, total

RIDGES = (math.inf, 10.0, 1.0, 10**-0.5, 1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10)
"""Candidates, relative to the mean variance of the regressors, strongest first."""


@final
@dataclass(frozen=True)
class Affine:
    """The estimates ``x = offset + B^T y`` of T targets: ``offset (T,)`` and B ``(D, T)``."""

    offset: Tensor
    weight: Tensor

    def error(self, targets: Tensor) -> Tensor:
        """G with ``G^T (1, y, x)`` = the error of the estimate of ``targets^T x``, ``(1 + D + T, T)``."""
        return torch.cat([-self.offset[None], -self.weight, targets])

    def replaced(self, other: Affine, where: Tensor) -> Affine:
        """This, with the targets ``where (T,)`` estimated as ``other`` does."""
        return Affine(
            torch.where(where, other.offset, self.offset), torch.where(where, other.weight, self.weight)
        )

    def rotated(self, targets: Tensor) -> Affine:
        """The estimate of x from that of its components ``targets^T x``."""
        return Affine(targets @ self.offset, self.weight @ targets.T)


@final
@dataclass(frozen=True)
class Regression:
    """A fitted estimate with its evidence.

    Args:
        estimate: from all rows.
        ridges: relative ridge of each principal component, ``(T,)``.
        error: second moment of the error on left-out pictures, ``(T, T)``.
        left_out: the same estimate fitted without each fold in turn.
    """

    estimate: Affine
    ridges: Tensor
    error: Tensor
    left_out: tuple[Affine, ...]


def solve(moments: Moments, targets: Tensor, ridge: float, columns: int) -> Affine | None:
    """``B = (C_yy + ridge s I)^-1 C_yx U`` from the first ``columns`` regressors, s their mean variance.

    None where the matrix is singular in the precision at hand.
    """
    c_yy, c_yx, _ = moments.covariances()
    mean_y, mean_x = moments.means()
    columns = min(columns, moments.regressors)
    weight = torch.zeros_like(c_yx @ targets)
    if not math.isinf(ridge):
        used = c_yy[:columns, :columns]
        scale = used.diagonal().mean().clamp_min(torch.finfo(used.dtype).tiny)
        factor, info = torch.linalg.cholesky_ex(used + ridge * scale * torch.eye(columns).to(used))
        if info.item():
            return None
        weight[:columns] = torch.cholesky_solve(c_yx[:columns] @ targets, factor)
    return Affine(mean_x @ targets - mean_y @ weight, weight)


def regress(folds: Sequence[Moments], columns: Sequence[int]) -> Regression:
    """Estimate each principal component of x with the regressors and ridge that serve it on left-out folds.

    The infinite ridge is among the candidates: a component that y does not predict shrinks to its mean.
    Ridges are tried from strong to weak until none serves any component better.

    Args:
        folds: moments of disjoint groups of pictures, at least two.
        columns: candidate numbers of leading regressors.

    Returns:
        The regression on all folds, with the error that it would have had on left-out ones.
    """
    everything, held = total(folds), [total([fold]) for fold in folds]
    rest = [everything.without(fold) for fold in held]
    targets = torch.linalg.eigh(everything.covariances()[2])[1]  # (T, T), columns are components
    search = _Search(held, rest, targets)
    for width in columns:
        search.run(width)
    estimate = search.of(everything)
    left_out = tuple(best.rotated(targets) for best in search.best)
    identity = torch.eye(len(targets)).to(targets)
    share = [float(fold.count / everything.count) for fold in held]
    error = torch.stack(
        [s * fold.second_moment(e.error(identity)) for s, fold, e in zip(share, held, left_out, strict=True)]
    )
    return Regression(estimate.rotated(targets), search.ridges(), error.sum(0), left_out)


def fixed(moments: Moments, ridge: float) -> Regression:
    """The regression with one given relative ridge; its error is that of the rows it was fitted to."""
    moments = total([moments])
    targets = torch.eye(len(moments.matrix) - 1 - moments.regressors).to(moments.matrix)
    estimate = solve(moments, targets, ridge, moments.regressors)
    if estimate is None:
        raise DomainError(f"the normal equations are singular with ridge {ridge}; give a larger one")
    error = moments.second_moment(estimate.error(targets))
    return Regression(estimate, targets.new_full((len(targets),), ridge), error, (estimate,))


@final
class _Search:
    """The best estimate so far of every component, for every fold that is left out."""

    def __init__(self, held: Sequence[Moments], rest: Sequence[Moments], targets: Tensor) -> None:
        self.held, self.rest, self.targets = held, rest, targets
        self.candidates = [(math.inf, 0)]
        self.best = self._estimates(*self.candidates[0])
        self.error = self._errors(self.best)  # (T,)
        self.chosen = torch.zeros(len(self.error), dtype=torch.long, device=self.error.device)

    def run(self, columns: int) -> None:
        """Try all ridges with so many regressors, and stop when two in a row have served no component."""
        served = [self._try(ridge, columns) for ridge in RIDGES[1:3]]
        for ridge in RIDGES[3:]:
            served.append(self._try(ridge, columns))
            if not any(served[-2:]):
                return

    def of(self, moments: Moments) -> Affine:
        """The chosen estimates, fitted to other moments."""
        result = _solved(solve(moments, self.targets, math.inf, 0))
        for index in self.chosen.unique().tolist():
            fresh = _solved(solve(moments, self.targets, *self.candidates[index]))
            result = result.replaced(fresh, self.chosen == index)
        return result

    def ridges(self) -> Tensor:
        """The chosen ridge of every component, ``(T,)``."""
        return torch.tensor([ridge for ridge, _ in self.candidates]).to(self.error)[self.chosen]

    def _try(self, ridge: float, columns: int) -> bool:
        estimates = self._estimates(ridge, columns)
        if len(estimates) < len(self.rest):
            return False
        error = self._errors(estimates)
        better = error < self.error
        self.candidates.append((ridge, columns))
        self.best = [old.replaced(new, better) for old, new in zip(self.best, estimates, strict=True)]
        self.error = torch.where(better, error, self.error)
        self.chosen = torch.where(better, len(self.candidates) - 1, self.chosen)
        return bool(better.any())

    def _estimates(self, ridge: float, columns: int) -> list[Affine]:
        found = (solve(moments, self.targets, ridge, columns) for moments in self.rest)
        return [estimate for estimate in found if estimate is not None]

    def _errors(self, estimates: list[Affine]) -> Tensor:
        pairs = zip(self.held, estimates, strict=True)
        return torch.stack([f.count * f.mean_square(e.error(self.targets)) for f, e in pairs]).sum(0)


def _solved(estimate: Affine | None) -> Affine:
    if estimate is None:
        raise DomainError("the normal equations are singular; calibrate with more pictures")
    return estimate
