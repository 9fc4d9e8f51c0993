"""A large matrix on the last axis: the eigenvalues of its Gram matrix tell what singular values would."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.dense import Dense
from preimage.inverse.solvers.linear_systems.spectral import decompose
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route

LARGE = 384
"""Smaller side from which the Gram matrix pays."""

COLUMNS = 4096
"""Columns of the matrix that are in double precision at a time."""

SHARPEST = 1e-6
"""Smallest relative singular value that a Gram matrix in double precision shows without doubt."""


@register_route
@final
class LargeDense(PseudoInverse):
    """x = W' (W W')^+ z for a wide W, (W'W)^+ W' z for a tall one.

    The squares of the singular values are the eigenvalues of the Gram matrix, which rounding blurs by 1e-16
    of the largest. That is far below the square of what counts as zero in float32, so that eigenvectors of
    the Gram matrix take the place of singular vectors where rank is lost; in float64 it is far above, and the
    singular value decomposition decides wherever a singular value counts as zero, or could.

    Cost: ``m n min(m, n) + min(m, n)^3`` once, a tenth of the decomposition; two products a call.
    """

    route = "Cholesky factor of the Gram matrix per position"
    preference = -1

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is a large matrix on the last axis."""
        return isinstance(linear, Dense) and min(linear.tensors()[0].shape) >= LARGE

    def _factorise(self, linear: LinearMap) -> Facts:
        self._weight = linear.tensors()[0].detach()  # (m, n)
        self._factor = self._root = self._inverse = None
        positions = linear.in_size // max(linear.in_shape[-1], 1)
        rank, condition = self._decide()
        return Facts(linear.in_size, linear.out_size, rank * positions, condition, certified=True)

    def _decide(self) -> tuple[int, float]:
        """Rank and condition of one matrix; keeps the factor, or where rank is lost what replaces it."""
        gram = _gram(self._weight)
        squares = torch.linalg.eigvalsh(gram) if bool(gram.isfinite().all()) else gram.new_zeros(1)
        ratio = (squares[0].clamp_min(0) / squares[-1].clamp_min(1e-300)).sqrt().item()
        cutoff = torch.finfo(self._weight.dtype).eps * max(self._weight.shape)
        if ratio <= 2 * cutoff and cutoff > SHARPEST and squares[-1] > 0:
            return self._decide_by_eigenvectors(gram, cutoff)
        factor, failed = torch.linalg.cholesky_ex(gram)
        if bool(failed) or ratio <= max(2 * cutoff, SHARPEST):
            found = decompose(self._weight)
            self._inverse = found.inverse
            return found.rank, found.condition
        self._factor = factor
        return min(self._weight.shape), 1 / ratio

    def _decide_by_eigenvectors(self, gram: Tensor, cutoff: float) -> tuple[int, float]:
        """Keeps R with R R' = (W W')^+."""
        squares, vectors = torch.linalg.eigh(gram)
        keep = squares > cutoff**2 * squares[-1]
        self._root = vectors[:, keep] * squares[keep].rsqrt()
        return int(keep.sum()), (squares[-1] / squares[keep][0]).sqrt().item()

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        none = torch.zeros(z.shape[0], dtype=torch.long, device=z.device)
        if self._inverse is not None:
            return z @ self._inverse.to(z).T, none
        weight, rows = self._weight.to(z), z.reshape(-1, z.shape[-1])
        wide = weight.shape[0] <= weight.shape[1]
        solved = self._solve_gram((rows if wide else rows @ weight).double()).to(z)
        x = solved @ weight if wide else solved
        return x.reshape(*z.shape[:-1], weight.shape[1]), none

    def _solve_gram(self, rows: Tensor) -> Tensor:
        """The pseudo-inverse of the Gram matrix on rows, ``(N, min(m, n))``."""
        if self._factor is not None:
            return torch.cholesky_solve(rows.T, self._factor).T
        root = rows.new_empty(0) if self._root is None else self._root
        return (rows @ root) @ root.T


def _gram(weight: Tensor) -> Tensor:
    """The smaller of W W' and W'W in double precision, without a double copy of W."""
    tall = weight if weight.shape[0] <= weight.shape[1] else weight.T
    size = tall.shape[0]
    gram = torch.zeros(size, size, dtype=torch.float64, device=weight.device)
    for part in tall.split(COLUMNS, 1):
        wide = part.double()
        gram.addmm_(wide, wide.T)
    return gram
