"""Errors beside what is known about their places, and likely sizes fitted to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.inverse.posterior.spread import fit_spread

FOLDS = 4
"""Parts of the sources; the relative errors of each are measured with the likely sizes of the others."""

RIDGES = (1e-3, 1e-2, 1e-1, math.inf)
"""How strongly the likely size is held to the usual error."""


@final
@dataclass(frozen=True, eq=False)
class ErrorTable:
    """Rows of places, in folds of sources.

    Args:
        columns: what is known about each number, ``(R, C, K)``; the last two are a constant and the logarithm
            of the usual error, of which the likely size is a function in any case.
        error: absolute errors, ``(R, C)``, positive.
        weight: of each row, ``(R,)``.
        source: number of each row's source, from 0 on without gaps, ``(R,)``.
    """

    columns: Tensor
    error: Tensor
    weight: Tensor
    source: Tensor

    def fit(self, ridge: float, rows: Tensor | None = None) -> Tensor:
        """The coefficients ``(K,)`` from some rows, all when None, held to the usual error by a ridge."""
        z, size, p = self._flat(torch.ones_like(self.source, dtype=torch.bool) if rows is None else rows)
        start = z.new_zeros(z.shape[1])
        start[-1] = 1.0
        start[-2] = (p * size * torch.exp(-z[:, -1])).sum().log()  # the best constant
        if math.isinf(ridge):
            return start
        centre, spread = _moments(z, p)
        w = fit_spread((z - centre) / spread, size, p, start, ridge) / spread
        w[-2] -= (w * centre).sum()
        return w

    def left_out(self, ridge: float) -> list[tuple[Tensor, Tensor]]:
        """For each fold, which rows it has ``(R,)`` and the coefficients fitted to the others."""
        part = self.source % FOLDS
        folds = [part == fold for fold in part.unique()]
        return [(rows, self.fit(ridge, ~rows)) for rows in folds]

    def losses(self, ridge: float) -> Tensor:
        """The mean loss on each source by coefficients that were fitted to other folds, ``(S,)``."""
        row = torch.empty_like(self.weight)
        for rows, w in self.left_out(ridge):
            exponent = self.columns[rows] @ w
            row[rows] = (exponent + self.error[rows] * torch.exp(-exponent)).mean(1)
        count = self.source.bincount()
        return torch.zeros_like(count, dtype=row.dtype).index_add(0, self.source, row) / count

    def chosen(self) -> float:
        """The strongest ridge that is as good as the best one, up to a standard error over the sources.

        Reference: L. Breiman, J. Friedman, R. Olshen and C. Stone, Classification and Regression Trees, 1984,
        section 3.4.3.
        """
        found = {ridge: self.losses(ridge) for ridge in RIDGES}
        best = min(found.values(), key=lambda losses: losses.mean().item())
        for ridge in sorted(RIDGES, reverse=True):
            worse = found[ridge] - best
            if worse.mean() <= worse.std() / math.sqrt(len(worse)):
                return ridge
        return RIDGES[0]

    def scores(self, ridge: float) -> Tensor:
        """Errors relative to likely sizes that were fitted to the other folds, ``(R, C)``."""
        scores = torch.empty_like(self.error)
        for rows, w in self.left_out(ridge):
            scores[rows] = self.error[rows] * torch.exp(-self.columns[rows] @ w)
        return scores

    def _flat(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Columns ``(R' C, K)``, errors and weights ``(R' C,)`` of some rows; the weights sum to one."""
        p = self.weight[rows][:, None].expand(-1, self.error.shape[1]).flatten()
        return self.columns[rows].flatten(0, 1), self.error[rows].flatten(), p / p.sum()


def _moments(z: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each column; the constant and the usual error stay as they are."""
    centre = (p[:, None] * z).sum(0)
    spread = (p[:, None] * (z - centre).square()).sum(0).sqrt()
    centre[-2:], spread[-2:] = 0.0, 1.0
    return centre, torch.where(spread > 1e-6, spread, math.inf)
