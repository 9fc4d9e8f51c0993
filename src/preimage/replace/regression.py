"""Least-squares estimates from a stream, one row a position."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from preimage.errors import DomainError
from preimage.functional.matrices.rows import map_rows
from preimage.inverse.calibrate.moments import Moments

RIDGE = 1e-6
"""Weight of the squared coefficients, relative to the mean variance of the regressors."""


@final
class LinearEstimate(nn.Module):
    r"""The best affine estimate :math:`\hat a = \mu_a + C_{as} C_{ss}^{-1} (s - \mu_s)` at every position.

    Reference: Kay (1993), Fundamentals of statistical signal processing: estimation theory, chapter 12,
    https://www.pearson.com/en-us/subject-catalog/p/P200000009261

    Args:
        channels: size of s at a position.
        targets: size of a at a position.
        ridge: relative weight of squared coefficients, not negative.

    Raises:
        DomainError: solved before any data were seen, or the data are constant.

    Cost: O(channels^2) a position to count, O(channels^3) to solve.

    Example:
        >>> s = torch.randn(200, 2)
        >>> estimate = LinearEstimate(2, 1)
        >>> estimate.count(s, s[:, :1] + 3)
        >>> estimate.solve()
        >>> torch.allclose(estimate(s), s[:, :1] + 3, atol=1e-3)
        True
    """

    weight: Tensor  # (targets, channels)
    offset: Tensor  # (targets,)

    def __init__(self, channels: int, targets: int, ridge: float = RIDGE) -> None:
        super().__init__()
        self.ridge = ridge
        self.register_buffer("weight", torch.zeros(targets, channels))
        self.register_buffer("offset", torch.zeros(targets))
        self._moments: Moments | None = None

    def count(self, s: Tensor, a: Tensor) -> None:
        """Add values ``s (N, channels, ...)`` and ``a (N, targets, ...)`` of the same positions."""
        rows, wanted = _rows(s), _rows(a)
        if self._moments is None:
            self._moments = Moments.empty(rows.shape[1], wanted.shape[1], rows)
        self._moments.add(rows, wanted)

    def solve(self) -> None:
        """Fit to everything that was counted, and forget it."""
        if self._moments is None:
            raise DomainError("there is nothing to fit to: give the calibration stream one batch or more")
        c_ss, c_sa, _ = self._moments.covariances()
        mean_s, mean_a = self._moments.means()
        size = c_ss.diagonal().mean()
        if not bool(size > 0):
            raise DomainError("the calibration stream is constant; values that vary were wanted")
        penalty = self.ridge * size * torch.eye(len(c_ss), dtype=c_ss.dtype, device=c_ss.device)
        weight = torch.linalg.solve(c_ss + penalty, c_sa).mT
        self.weight = weight.to(self.weight)
        self.offset = (mean_a - weight @ mean_s).to(self.offset)
        self._moments = None

    def forward(self, s: Tensor) -> Tensor:
        """The estimate ``(N, targets, ...)`` from ``s (N, channels, ...)``."""
        weight, offset = self.weight.to(s), self.offset.to(s)
        return map_rows(lambda rows: nn.functional.linear(rows, weight, offset), s)


def _rows(x: Tensor) -> Tensor:
    """One row a position, in double precision ``(P, C)``."""
    return x.detach().double().movedim(1, -1).reshape(-1, x.shape[1])
