"""The stationary covariance of what a decoder gets wrong, measured as a spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.inverse.calibrate.basis import cosine_basis
from preimage.inverse.calibrate.grid import as_map
from preimage.inverse.solvers.nonlinear.metric import Metric

GOLDEN = (math.sqrt(5) - 1) / 2


@final
class Spectrum(Metric):
    """A stationary covariance: independent cosine frequencies of independent channel combinations.

    ``M = R Q^T diag(gain^2) Q R^T`` with Q the orthonormal DCT over the spatial axes and R a rotation of the
    channels. For inputs without spatial axes it is a full covariance by its eigenvectors.

    Args:
        input_shape: event shape ``(C, H, W)``, ``(C, L)`` or ``(F,)``.
        rotation: R, ``(C, C)``, orthonormal columns.
        gain: standard deviation of every channel combination and frequency, ``(C, H, W)``.

    Cost: two small matrix products a channel and sample.

    Example:
        >>> errors = torch.randn(200, 2, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> metric = Spectrum.of_errors(errors.cumsum(2).cumsum(3))
        >>> bool(metric.gain[0, 1, 1] > 3 * metric.gain[0, 7, 7])  # smooth errors are of low frequency
        True
    """

    rotation: Tensor
    gain: Tensor

    def __init__(self, input_shape: Sequence[int], rotation: Tensor, gain: Tensor) -> None:
        super().__init__()
        self.input_shape, self.input_map = tuple(input_shape), as_map(input_shape)
        self.register_buffer("rotation", rotation)
        self.register_buffer("gain", gain)
        self.rows, self.columns = (cosine_basis(n, dtype=torch.float64) for n in self.input_map[1:])

    def root(self, u: Tensor) -> Tensor:
        """``R Q^T (gain * u)``."""
        z = self.gain.to(u) * u.reshape(-1, *self.input_map)  # (N, C, H, W)
        z = self.rows.to(u).mT @ z @ self.columns.to(u)
        return torch.einsum("cd,ndhw->nchw", self.rotation.to(u), z).reshape(u.shape)

    def root_transpose(self, x: Tensor) -> Tensor:
        """``gain * Q R^T x``."""
        z = torch.einsum("cd,nchw->ndhw", self.rotation.to(x), x.reshape(-1, *self.input_map))
        z = self.rows.to(x) @ z @ self.columns.to(x).mT
        return (self.gain.to(x) * z).reshape(x.shape)

    def variance(self, like: Tensor) -> Tensor:
        """The diagonal of M: the variance of each number, ``(1, *input)``, in the dtype of ``like``."""
        rows, columns = (basis.to(like).square() for basis in (self.rows, self.columns))
        power = rows.mT @ self.gain.to(like).square() @ columns  # (C, H, W)
        mixed = torch.einsum("cd,dhw->chw", self.rotation.to(like).square(), power)
        return mixed.reshape(1, *self.input_shape)

    def power(self, exponent: float) -> Spectrum:
        """``M^exponent``, scaled to the same mean variance: below 1 it is closer to the identity."""
        gain = self.gain**exponent
        gain = gain * (self.gain.square().mean() / gain.square().mean()).sqrt()
        return Spectrum(self.input_shape, self.rotation, gain)

    def texture(self, like: Tensor) -> Tensor:
        """One fixed pattern with this covariance, ``like (N, *input)``: chirps, so that no seed is needed."""
        count = torch.arange(self.gain.numel(), dtype=torch.float64, device=like.device)
        phase = (count * count * (GOLDEN / 2)).remainder(1.0) * (2 * math.pi)
        u = phase.cos().mul(math.sqrt(2)).to(like.dtype).view(1, *like.shape[1:])
        return self.root(u).expand_as(like)

    @staticmethod
    def of_covariance(covariance: Tensor) -> Spectrum:
        """The metric of inputs ``(F,)`` with a known covariance ``(F, F)``."""
        power, rotation = torch.linalg.eigh(covariance)
        floor = power.max() * 1e-6
        return Spectrum((len(power),), rotation, power.clamp_min(floor).sqrt()[:, None, None])

    @staticmethod
    def of_errors(errors: Tensor, bins: int = 24) -> Spectrum:
        """The metric measured on errors ``(N, *input)``: power averaged over samples and over directions."""
        e = errors.reshape(-1, *as_map(errors.shape[1:]))  # (N, C, H, W)
        channels = e.movedim(1, 0).flatten(1)  # (C, N H W)
        rotation = torch.linalg.eigh(channels @ channels.T)[1]
        z = torch.einsum("cd,nchw->ndhw", rotation, e)
        rows, columns = (cosine_basis(n, dtype=e.dtype).to(e.device) for n in e.shape[2:])
        z = rows @ z @ columns.T
        power = z.square().mean(0)  # (C, H, W)
        power = power.clamp_min(power.mean() * 1e-9)
        return Spectrum(errors.shape[1:], rotation, radial(power, bins).sqrt())


def radial(power: Tensor, bins: int) -> Tensor:
    """Smooth a power spectrum ``(C, H, W)``: a function of ``sqrt((i/H)^2 + (j/W)^2)`` alone."""
    _, high, wide = power.shape
    i, j = (torch.arange(n, device=power.device) / n for n in (high, wide))
    frequency = (i[:, None] ** 2 + j[None, :] ** 2).sqrt().flatten().to(power)  # (H W,)
    lowest = 0.5 / max(high, wide)
    steps = torch.linspace(0, 1, bins, dtype=power.dtype, device=power.device)
    edges = lowest * (frequency.max().clamp_min(lowest) * 1.01 / lowest) ** steps
    member = torch.bucketize(frequency, edges)  # 0 is the mean
    one_hot = torch.nn.functional.one_hot(member).to(power)  # (H W, K)
    filled = one_hot.sum(0) > 0
    weight = (one_hot / one_hot.sum(0).clamp_min(1))[:, filled]
    centre, level = torch.log(frequency.clamp_min(lowest / 2)) @ weight, torch.log(power.flatten(1) @ weight)
    return torch.exp(_interpolate(torch.log(frequency.clamp_min(lowest / 2)), centre, level)).view_as(power)


def _interpolate(at: Tensor, knots: Tensor, levels: Tensor) -> Tensor:
    """Piecewise linear through ``(knots (K,), levels (C, K))`` at ``at (P,)``: ``(C, P)``."""
    if len(knots) == 1:
        return levels.expand(-1, len(at))
    right = torch.searchsorted(knots, at).clamp(1, len(knots) - 1)
    part = ((at - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
    return levels[:, right - 1] * (1 - part) + levels[:, right] * part
