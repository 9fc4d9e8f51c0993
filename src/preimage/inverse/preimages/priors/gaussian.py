"""A normal distribution of inputs as a prior for preimages."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.preimages.priors.objective import Objective
from preimage.inverse.smooth import is_spatial, smooth_metric
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric


@final
class Gaussian(Objective):
    """Normally distributed inputs: ``R(x) = (x - mu)' C^-1 (x - mu) / 2``.

    Reference: A. Tarantola, Inverse Problem Theory, 2005, section 3.2.

    Args:
        mean: mu, ``(*input)``.
        covariance: C.

    Example:
        >>> data = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0])
        >>> prior = Gaussian.of_data(data)
        >>> values = prior.value(torch.tensor([[3.0, 0.0], [0.0, 3.0]]))
        >>> bool(values[0] > 4 * values[1])  # three standard deviations against one
        True
    """

    def __init__(self, mean: Tensor, covariance: Spectrum | Identity) -> None:
        self.mean, self.covariance = mean, covariance

    @property
    def metric(self) -> Metric:
        """The covariance."""
        return self.covariance

    def value(self, x: Tensor) -> Tensor:
        """Half the squared Mahalanobis distance."""
        away = x - self.mean.to(x)
        if isinstance(self.covariance, Spectrum):
            gain = self.covariance.gain.to(x).reshape(1, *x.shape[1:])
            away = self.covariance.root_transpose(away) / gain.square()
        return away.flatten(1).square().sum(1) / 2

    def toward(self, x: Tensor) -> Tensor:
        """The mean."""
        return self.mean.to(x).expand_as(x)

    @classmethod
    def of_data(cls, data: Tensor) -> Gaussian:
        """Calibrated: mean and covariance of some inputs ``(N, *input)``; stationary where there are axes.

        Raises:
            ShapeError: for fewer than two inputs.
        """
        if len(data) < 2:
            raise ShapeError(f"got {len(data)} inputs; two at least, better hundreds, were wanted")
        mean = data.mean(0)
        away = data - mean
        if is_spatial(tuple(data.shape[1:])):
            return cls(mean, Spectrum.of_errors(away))
        flat = away.flatten(1).double()
        return cls(mean, Spectrum.of_covariance((flat.T @ flat / (len(flat) - 1)).to(data)))

    @classmethod
    def smooth(cls, shape: tuple[int, ...]) -> Gaussian:
        """Data-free: neighbours of a picture ``(C, H, W)`` or recording ``(C, L)`` resemble each other.

        Raises:
            ShapeError: for inputs without neighbours.
        """
        if not is_spatial(shape):
            raise ShapeError(f"inputs of shape {shape} have no neighbours; write Gaussian.of_data(inputs)")
        return cls(torch.zeros(shape), smooth_metric(shape, torch.zeros(1)))

    @classmethod
    def standard(cls, shape: tuple[int, ...]) -> Gaussian:
        """Independent standard normal numbers, where nothing at all is known."""
        return cls(torch.zeros(shape), Identity())
