"""Normal distributions of a value, and what is known about it from the values behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Step:
    """A part of the network in a neighbourhood: ``v = A u + b + w``, w independent with a known variance.

    Args:
        matrix: A, ``(n_v, n_u)``.
        offset: b, ``(n_v,)``.
        noise: variance of w, ``(n_v,)``.
        exact: whether the part is linear up to rounding, so that w is zero.
    """

    matrix: Tensor
    offset: Tensor
    noise: Tensor
    exact: bool


@final
@dataclass(frozen=True)
class Observation:
    """``z = H v + e``: what the known values say about a value v, e normal with covariance R.

    Args:
        matrix: H, ``(M, n)``.
        value: z, ``(N, M)``.
        noise: R, ``(M, M)``.
    """

    matrix: Tensor
    value: Tensor
    noise: Tensor

    @staticmethod
    def of(value: Tensor) -> Observation:
        """The value itself, without doubt, ``(N, n)``."""
        size = value.shape[1]
        return Observation(torch.eye(size).to(value), value, value.new_zeros(size, size))

    @staticmethod
    def fused(parts: Sequence[Observation]) -> Observation:
        """All of several independent ones: their precisions add up."""
        if len(parts) == 1:
            return parts[0]
        return Observation(
            torch.cat([part.matrix for part in parts]),
            torch.cat([part.value for part in parts], 1),
            torch.block_diag(*(part.noise for part in parts)),
        )

    def before(self, step: Step) -> Observation:
        """What it says about the value from which v was made."""
        spread = self.matrix * step.noise @ self.matrix.T
        return Observation(
            self.matrix @ step.matrix, self.value - self.matrix @ step.offset, self.noise + spread
        )


@final
@dataclass(frozen=True)
class Normal:
    """A normal distribution for each of N samples, with one covariance.

    Args:
        mean: ``(N, n)``.
        covariance: ``(n, n)``.
    """

    mean: Tensor
    covariance: Tensor

    @property
    def variance(self) -> Tensor:
        """Of each number, ``(n,)``."""
        return self.covariance.diagonal().clamp_min(0)

    def after(self, step: Step) -> Normal:
        """The distribution of what the step makes of it."""
        covariance = step.matrix @ self.covariance @ step.matrix.T + step.noise.diag()
        return Normal(self.mean @ step.matrix.T + step.offset, covariance)

    def scaled(self, mean: Tensor, deviation: Tensor) -> Normal:
        """With another mean and other standard deviations ``(n,)``, and the same correlations."""
        ratio = deviation / self.variance.sqrt().clamp_min(torch.finfo(deviation.dtype).tiny)
        alone = self.variance == 0  # what did not vary has no correlations to keep
        covariance = self.covariance * ratio.outer(ratio)
        diagonal = torch.where(alone, deviation.square(), covariance.diagonal())
        covariance = covariance.diagonal_scatter(diagonal)
        return Normal(mean.expand_as(self.mean), covariance)

    def given(self, seen: Observation, rounding: float) -> Normal:
        r"""The conditional distribution: :math:`m + K (z - H m)` and :math:`P - K H P`.

        With the gain :math:`K = P H^\top (H P H^\top + R)^+`.

        Reference: R. Kalman (1960), https://doi.org/10.1115/1.3662552.

        Args:
            seen: the observation.
            rounding: part of the largest variance of z below which nothing is believed.
        """
        cross = self.covariance @ seen.matrix.T  # (n, M)
        size, vectors = torch.linalg.eigh(seen.matrix @ cross + seen.noise)
        known = size > size[-1].clamp_min(0) * rounding * len(size)
        weight = torch.where(known, torch.where(known, size, 1.0).rsqrt(), 0.0)
        rooted = cross @ vectors * weight
        surprise = (seen.value - self.mean @ seen.matrix.T) @ vectors * weight
        covariance = self.covariance - rooted @ rooted.T
        return Normal(self.mean + surprise @ rooted.T, (covariance + covariance.T) / 2)

    def root(self) -> Tensor:
        """A matrix B with ``B B^T`` equal to the covariance, ``(n, n)``."""
        size, vectors = torch.linalg.eigh(self.covariance)
        return vectors * size.clamp_min(0).sqrt()
