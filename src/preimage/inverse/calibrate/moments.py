"""First and second moments of regressors and targets, summed in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor


@final
class Moments:
    """The sum over rows of ``z z^T`` with ``z = (1, y, x)``: count, means and covariances in one matrix.

    Sums of outer products add, so machines that see different pictures add (all-reduce) their ``matrix``.

    Args:
        matrix: symmetric, ``(1 + D + T, 1 + D + T)``.
        regressors: D, the width of y.
    """

    def __init__(self, matrix: Tensor, regressors: int) -> None:
        self.matrix = matrix
        self.regressors = regressors

    @staticmethod
    def empty(regressors: int, targets: int, like: Tensor) -> Moments:
        """Moments of no rows."""
        size = 1 + regressors + targets
        return Moments(like.new_zeros(size, size), regressors)

    def add(self, y: Tensor, x: Tensor) -> None:
        """Count rows ``y (R, D)`` with targets ``x (R, T)``."""
        z = torch.cat([y.new_ones(len(y), 1), y, x], 1)
        self.matrix.addmm_(z.T, z)

    @property
    def count(self) -> Tensor:
        """Number of rows."""
        return self.matrix[0, 0]

    def without(self, other: Moments) -> Moments:
        """The moments of the rows that ``other`` has not counted."""
        return Moments(self.matrix - other.matrix, self.regressors)

    def means(self) -> tuple[Tensor, Tensor]:
        """Means of y ``(D,)`` and x ``(T,)``."""
        mean = self.matrix[0, 1:] / self.count
        return mean[: self.regressors], mean[self.regressors :]

    def covariances(self) -> tuple[Tensor, Tensor, Tensor]:
        """``C_yy (D, D)``, ``C_yx (D, T)`` and ``C_xx (T, T)``."""
        mean, d = self.matrix[0, 1:] / self.count, self.regressors
        covariance = self.matrix[1:, 1:] / self.count - torch.outer(mean, mean)
        return covariance[:d, :d], covariance[:d, d:], covariance[d:, d:]

    def second_moment(self, map_of_z: Tensor) -> Tensor:
        """Mean of ``(G^T z)(G^T z)^T`` for G ``(1 + D + T, K)``: ``(K, K)``."""
        return map_of_z.T @ (self.matrix @ map_of_z) / self.count

    def mean_square(self, map_of_z: Tensor) -> Tensor:
        """Mean of ``(G^T z)^2`` for G ``(1 + D + T, K)``: ``(K,)``."""
        return (map_of_z * (self.matrix @ map_of_z)).sum(0) / self.count


def total(parts: Sequence[Moments]) -> Moments:
    """The moments of all rows together, in double precision."""
    matrix = torch.stack([part.matrix.double() for part in parts]).sum(0)
    return Moments(matrix, parts[0].regressors)
