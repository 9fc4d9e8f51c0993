"""Positions that do not see each other: one small system each, solved directly, with a rank certificate."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.linear.dense import Dense
from preimage.inverse.solvers.linear_systems.normal_equations import NormalEquations, solve_masked
from preimage.inverse.solvers.linear_systems.windows import Windows
from preimage.inverse.solvers.pseudo_inverses.routes.windows import disjoint
from preimage.inverse.solvers.saturated.open_directions import OpenSystems, choose
from preimage.inverse.solvers.saturated.saturation import (
    Determination,
    Prior,
    SaturationInverse,
    register_region,
)

MEMORY = 2**25
"""Largest number of entries of one batch of normal equations (256 MiB in float64)."""


@register_region
@final
class PerPosition(SaturationInverse):
    """Minimise |D (A x + b - y)| at every position, D keeping the unsaturated rows; float64 throughout.

    A position is certified exact when its equations have full rank, no inequality is broken, and the error
    bound ``4 s sqrt(trace (A'DA)^-1) / |x|`` is at most 1e-5, where s is the noise of y: the larger of the
    rounding error expected in y's dtype and the one that the residual shows.

    Cost: ``rows * unknowns^2 + unknowns^3`` a position and group.
    """

    route = "normal equations per position"

    cutoff = 1e-5

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether no value of x is seen by two positions."""
        return isinstance(linear, Dense) or (isinstance(linear, Convolution) and disjoint(linear))

    def _prepare(self, linear: LinearMap, offset: Tensor) -> None:
        self._windows = Windows(linear)
        self._matrix = self._windows.matrix
        self._offset = self._windows.outputs(offset[None])  # (groups, positions, rows)

    def outnumbers(self, known: Tensor, margin: int = 2) -> Tensor:
        """The same at every position, in all groups of channels."""
        enough = self._windows.outputs(known).sum(2) >= self._matrix.shape[-1] + margin
        return self._windows.per_position(enough.all(0), known.shape[0])

    def _determine(self, y: Tensor, start: Tensor | None) -> Determination:
        batch, rows = y.shape[0], self._windows.outputs(y)
        parts = [self._group(group, rows[group]) for group in range(self._windows.groups)]
        x = torch.stack([p[0] for p in parts])  # (groups, B, unknowns)
        error = torch.stack([p[1] for p in parts]).amax(0)
        nullity = torch.stack([p[2] for p in parts]).sum(0)
        exact = self._windows.per_position(error <= self.exact_error, batch)
        return Determination(
            x=self._windows.scatter(x, batch).to(y),
            exact=exact,
            nullity=self._windows.per_position(nullity, batch),
            iterations=torch.zeros(batch, dtype=torch.long, device=y.device),
            error=error.view(batch, math.prod(self._windows.positions)).amax(1),
        )

    def _group(self, group: int, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        unknowns = self._matrix.shape[-1]
        size = max(1, MEMORY // unknowns**2)
        prior = None if self.saturation.prior is None else self.saturation.prior.of_group(group, self._matrix)
        offset = self._offset[group].repeat(y.shape[0] // self._offset.shape[1], 1)
        chunks = [
            self._solve(self._matrix[group], part, shift, prior)
            for part, shift in zip(y.split(size), offset.split(size), strict=True)
        ]
        x, error, nullity = (torch.cat(values) for values in zip(*chunks, strict=True))
        return x, error, nullity

    def _solve(
        self, matrix: Tensor, y: Tensor, offset: Tensor, prior: Prior | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        mask = self.saturation.equations(y)
        solved = solve_masked(matrix, mask, y.double() - offset, self.cutoff)
        x, bad = solved.x, solved.deficient
        systems = OpenSystems(matrix, offset[bad], y[bad], solved.null, solved.open)
        x[bad] = choose(systems, x[bad], self.saturation, prior)
        error = self._error(matrix, x, y, offset, solved)
        return x, error, matrix.shape[1] - solved.rank

    def _error(self, matrix: Tensor, x: Tensor, y: Tensor, offset: Tensor, solved: NormalEquations) -> Tensor:
        """Bound on the relative error of x, ``(B,)``; infinite where x is open or y contradictory."""
        mask, z = self.saturation.equations(y), x @ matrix.T + offset
        spare = (mask.sum(1) - solved.rank).clamp_min(0)
        squares = ((z - y.double()) * mask).square().sum(1)
        pooled = squares.sum() / spare.sum().clamp_min(
            1
        )  # few spare rows may hide the noise of their position
        noise = torch.maximum((squares / spare.clamp_min(1)).sqrt(), pooled.sqrt())
        noise = torch.maximum(noise, self._rounding(matrix, x, y, offset))
        bound = 4 * noise * solved.spread / torch.linalg.vector_norm(x, dim=1)
        broken = self.saturation.excess(z, y).abs().amax(1) > 100 * noise
        return torch.where(broken | bound.isnan(), math.inf, bound)

    @staticmethod
    def _rounding(matrix: Tensor, x: Tensor, y: Tensor, offset: Tensor) -> Tensor:
        """Expected rounding error of one output, root mean square over the rows, ``(B,)``."""
        size = x.square() @ matrix.square().T + offset.square()  # sum of squared terms of each row
        return torch.finfo(y.dtype).eps * size.mean(1).sqrt()
