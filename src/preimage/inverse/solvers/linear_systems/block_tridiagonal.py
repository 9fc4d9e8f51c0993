"""Cholesky factors of symmetric block tridiagonal matrices, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.errors import NotInvertibleError


@final
@dataclass(frozen=True)
class BlockCholesky:
    """G = L L' for a positive definite G with blocks on the diagonal and next to it only.

    Args:
        diagonal: Cholesky factors on the diagonal of L, one ``(groups, m, m)`` a block row.
        below: blocks below them, one fewer.
    """

    diagonal: tuple[Tensor, ...]
    below: tuple[Tensor, ...]

    @classmethod
    def of(cls, diagonal: Tensor, below: Tensor) -> BlockCholesky:
        """Factorise.

        Reference: Golub and Van Loan, Matrix Computations (2013), section 4.5.

        Args:
            diagonal: diagonal blocks of G, ``(blocks, groups, m, m)``.
            below: blocks (i + 1, i), ``(blocks - 1, groups, m, m)``.

        Raises:
            NotInvertibleError: when G is not positive definite to rounding.

        Cost: about ``2 blocks groups m^3``.
        """
        factors, coupled = [], []
        block = diagonal[0]
        for index in range(len(diagonal)):
            factor, info = torch.linalg.cholesky_ex(block)
            if bool((info != 0).any()):
                raise NotInvertibleError("the matrix is not positive definite to rounding")
            factors.append(factor)
            if index + 1 < len(diagonal):
                lower = torch.linalg.solve_triangular(factor, below[index].mT, upper=False).mT
                coupled.append(lower)
                block = diagonal[index + 1] - lower @ lower.mT
        return cls(tuple(factors), tuple(coupled))

    def solve(self, right: Tensor) -> Tensor:
        """G^-1 right for ``right (blocks, groups, m, columns)``."""
        return self._backward(self._forward(right))

    def _forward(self, right: Tensor) -> list[Tensor]:
        done: list[Tensor] = []
        for index, factor in enumerate(self.diagonal):
            value = right[index] if not done else right[index] - self.below[index - 1] @ done[-1]
            done.append(torch.linalg.solve_triangular(factor, value, upper=False))
        return done

    def _backward(self, right: list[Tensor]) -> Tensor:
        done: list[Tensor] = []
        for index in range(len(self.diagonal) - 1, -1, -1):
            value = right[index] if not done else right[index] - self.below[index].mT @ done[-1]
            done.append(torch.linalg.solve_triangular(self.diagonal[index].mT, value, upper=True))
        return torch.stack(done[::-1])
