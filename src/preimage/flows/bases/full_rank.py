"""The normal distribution with a full covariance."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.flows.bases.base import Base, check_temperature


class FullRankNormal(Base):
    r"""A normal distribution with learnt mean and covariance, :math:`z = \mu + L u`.

    .. math:: \log p(z) = -\tfrac12 \|L^{-1}(z - \mu)\|^2 - \sum_i \log L_{ii} - \tfrac D2 \log 2\pi

    L is lower triangular with a positive diagonal; it starts at the identity.

    Args:
        features: number of elements D of a latent.

    Cost: O(N D^2).

    Example:
        >>> import torch
        >>> FullRankNormal(2).log_prob(torch.zeros(1, 2))
        tensor([-1.8379], grad_fn=<SubBackward0>)
    """

    def __init__(self, features: int) -> None:
        super().__init__((features,))
        self.features = features
        self.mean = nn.Parameter(torch.zeros(features))
        self.below = nn.Parameter(torch.zeros(features, features))
        self.log_diagonal = nn.Parameter(torch.zeros(features))

    def factor(self) -> Tensor:
        """The lower triangular factor L ``(D, D)`` of the covariance."""
        return self.below.tril(-1) + torch.diag(self.log_diagonal.exp())

    def log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The log-density of every row ``(N,)``."""
        u = torch.linalg.solve_triangular(self.factor(), (z - self.mean).T, upper=False)  # (D, N)
        constant = 0.5 * self.features * math.log(2 * math.pi)
        return -0.5 * u.square().sum(0) - self.log_diagonal.sum() - constant

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Normal numbers, mixed and moved ``(N, D)``."""
        u = self.mean.new_empty(rows, self.features).normal_(generator=generator)
        return self.mean + u @ self.factor().T

    def tempered(self, temperature: float) -> Base:
        """The factor multiplied."""
        return _TemperedFullRank(self, temperature)


class _TemperedFullRank(Base):
    """A full-rank normal distribution with its factor multiplied."""

    def __init__(self, base: FullRankNormal, temperature: float) -> None:
        super().__init__((base.features,))
        check_temperature("FullRankNormal.tempered", temperature)
        self.base, self.temperature = base, temperature

    def log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The log-density of every row ``(N,)``."""
        nearer = self.base.mean + (z - self.base.mean) / self.temperature
        return self.base.log_prob(nearer) - self.base.features * math.log(self.temperature)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """A draw of the base, nearer to the mean or further away."""
        z = self.base.draw(rows, None, generator)
        return self.base.mean + self.temperature * (z - self.base.mean)
