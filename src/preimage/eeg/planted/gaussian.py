"""Stationary normal recordings: exact likelihood through the Fourier transform."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError


@final
class StationaryGaussian:
    r"""Recordings with a mean and a covariance that depends on the time difference only.

    .. math:: x = m + n, \qquad
        \operatorname{Cov}(n_{at}, n_{bs}) = \frac1T \sum_{k=0}^{T-1} S_k[a, b] \cos\frac{2 \pi k (t - s)}{T}

    Time is a circle of T samples. The Fourier coefficients of n are therefore independent over frequencies,
    and log p(x) needs one C x C factorisation a frequency instead of one of size C T.
    Zero-lag mixing keeps every S_k real.

    Reference: Whittle (1953), The analysis of multiple stationary time series,
    https://doi.org/10.1111/j.2517-6161.1953.tb00131.x (here the circle makes it exact)

    Args:
        mean: m ``(C, T)``.
        spectra: S_k ``(T // 2 + 1, C, C)``, symmetric positive definite, in squared units of the mean.

    Raises:
        ShapeError: the shapes do not fit.

    Cost: O(T C^3) to build; O(N C T (C + log T)) a likelihood or a draw.

    Example:
        >>> white = StationaryGaussian(torch.zeros(2, 8), torch.eye(2).expand(5, 2, 2))
        >>> white.log_prob(torch.zeros(1, 2, 8)) / 16
        tensor([-0.9189], dtype=torch.float64)
    """

    def __init__(self, mean: Tensor, spectra: Tensor) -> None:
        channels, times = mean.shape
        wanted = (times // 2 + 1, channels, channels)
        if tuple(spectra.shape) != wanted:
            raise ShapeError(f"StationaryGaussian: spectra are {tuple(spectra.shape)}, wanted {wanted}")
        self.mean, self.spectra = mean.double(), spectra.double()
        self._factors = torch.linalg.cholesky(self.spectra)  # (F, C, C)
        # Frequencies between zero and the last one of an even length stand for two coefficients.
        self._copies = torch.full((wanted[0],), 2.0, dtype=torch.float64)  # (F,)
        self._copies[0] = 1
        if times % 2 == 0:
            self._copies[-1] = 1

    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density of recordings ``(N, C, T)``, in nats: ``(N,)``."""
        if tuple(x.shape[1:]) != tuple(self.mean.shape):
            raise ShapeError(
                f"recordings are {tuple(x.shape)}, wanted (N, {', '.join(map(str, self.mean.shape))})"
            )
        if not len(x):  # the Fourier transform takes no empty batch
            return x.new_empty(0, dtype=torch.float64)
        coefficients = torch.fft.rfft(x.double() - self.mean, norm="ortho")  # (N, C, F)
        parts = torch.view_as_real(coefficients.permute(2, 1, 0)).flatten(2)  # (F, C, 2 N)
        white = torch.linalg.solve_triangular(self._factors, parts, upper=False)
        squares = (white.unflatten(2, (-1, 2)).square().sum((1, 3)) * self._copies[:, None]).sum(0)  # (N,)
        return -0.5 * (squares + self.log_det() + self.mean.numel() * math.log(2 * math.pi))

    def log_det(self) -> float:
        """The log-determinant of the covariance of all C T numbers."""
        diagonal = self._factors.diagonal(dim1=1, dim2=2)  # (F, C)
        return float(2 * (diagonal.log().sum(1) * self._copies).sum())

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Recordings ``(count, C, T)`` in double precision."""
        white = torch.randn(count, *self.mean.shape, dtype=torch.float64, generator=generator)
        if not count:  # the Fourier transform takes no empty batch
            return white
        coefficients = torch.fft.rfft(white, norm="ortho")  # (N, C, F)
        mixed = torch.einsum("fab,nbf->naf", self._factors.to(coefficients.dtype), coefficients)
        return self.mean + torch.fft.irfft(mixed, n=self.mean.shape[1], norm="ortho")

    def lagged_covariance(self) -> Tensor:
        """Covariances of channels at every time difference: ``(C, C, T)``, symmetric in the channels."""
        return torch.fft.irfft(self.spectra.permute(1, 2, 0), n=self.mean.shape[1])

    def channel_covariance(self) -> Tensor:
        """Covariance of the channels at one instant ``(C, C)``."""
        return self.lagged_covariance()[:, :, 0]

    def covariance(self) -> Tensor:
        """The dense covariance ``(C, T, C, T)``, for crops and for tests; C T squared numbers."""
        times = torch.arange(self.mean.shape[1])
        lags = (times[:, None] - times) % len(times)  # (T, T)
        return self.lagged_covariance()[:, :, lags].permute(0, 2, 1, 3)
