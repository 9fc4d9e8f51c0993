"""Distributions of positive values that a surjection adds."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn

from preimage.functional.event import align_event
from preimage.layers.surjection.noise import Noise


class PositiveNoise(Noise, abc.ABC):
    """Noise e >= 0 of a scale that is learnt, or that a network computes.

    Args:
        channels: number of channels of e.
        scale: the scale at the start, where there is no conditioner.
        conditioner: module from x ``(N, C, ...)`` to the log-scales ``(N, channels, ...)``.

    Raises:
        ValueError: a number is not positive.

    Example:
        >>> ExponentialNoise(2).sample(torch.zeros(5, 3, 4)).shape
        torch.Size([5, 2, 4])
    """

    def __init__(self, channels: int, scale: float = 1.0, conditioner: nn.Module | None = None) -> None:
        super().__init__(channels)
        if not 0 < scale < math.inf:
            raise ValueError(
                f"{type(self).__name__}: scale is {scale}, wanted a positive number, such as 1.0"
            )
        self.conditioner = conditioner
        learnt = torch.full((channels,), math.log(scale))
        self.log_scale = nn.Parameter(learnt) if conditioner is None else None

    def log_scale_for(self, x: Tensor) -> Tensor:
        """The log-scale, broadcasting to ``(N, channels, *x.shape[2:])``."""
        if self.conditioner is not None:
            return self.conditioner(x).to(x.dtype)
        return align_event(self.log_scale, x) if self.log_scale is not None else x.new_zeros(())

    @abc.abstractmethod
    def standard_sample(self, uniform: Tensor) -> Tensor:
        """The quantiles at scale 1 of numbers in (0, 1)."""

    @abc.abstractmethod
    def standard_log_prob(self, e: Tensor) -> Tensor:
        """The log-density at scale 1."""

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Stretched quantiles of uniform numbers."""
        shape = (x.shape[0], self.channels, *x.shape[2:])
        uniform = torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)
        return self.log_scale_for(x).exp() * self.standard_sample(uniform)

    def element_log_prob(self, e: Tensor, x: Tensor) -> Tensor:
        """The log-density; minus infinity below 0."""
        log_scale = self.log_scale_for(x)
        inside = self.standard_log_prob(e.clamp_min(0) * torch.exp(-log_scale)) - log_scale
        return torch.where(e < 0, -math.inf, inside)


class ExponentialNoise(PositiveNoise):
    r"""Exponential noise, :math:`q(e) = e^{-e / s} / s` for e >= 0.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, appendix on max surjections,
    https://arxiv.org/abs/2007.02731

    Args:
        channels: number of channels of e.
        scale: the mean s at the start, where there is no conditioner.
        conditioner: module from x ``(N, C, ...)`` to log s ``(N, channels, ...)``.

    Raises:
        ValueError: a number is not positive.

    Cost: O(numel(e)), and one run of the conditioner.

    Example:
        >>> ExponentialNoise(1, 2.0).log_prob(torch.zeros(1, 1), torch.zeros(1, 1)).exp().item()
        0.5
    """

    def standard_sample(self, uniform: Tensor) -> Tensor:
        """Quantiles."""
        return -torch.log1p(-uniform)

    def standard_log_prob(self, e: Tensor) -> Tensor:
        """Minus e."""
        return -e


class HalfNormalNoise(PositiveNoise):
    r"""The absolute value of normal noise, :math:`q(e) = \sqrt{2 / \pi}\, e^{-e^2 / 2 s^2} / s` for e >= 0.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, appendix on max surjections,
    https://arxiv.org/abs/2007.02731

    Args:
        channels: number of channels of e.
        scale: s at the start, where there is no conditioner.
        conditioner: module from x ``(N, C, ...)`` to log s ``(N, channels, ...)``.

    Raises:
        ValueError: a number is not positive.

    Cost: O(numel(e)), and one run of the conditioner.

    Example:
        >>> noise = HalfNormalNoise(1)
        >>> round(noise.log_prob(torch.zeros(1, 1), torch.zeros(1, 1)).exp().item(), 4)
        0.7979
    """

    def standard_sample(self, uniform: Tensor) -> Tensor:
        """Quantiles."""
        return math.sqrt(2) * torch.erfinv(uniform)

    def standard_log_prob(self, e: Tensor) -> Tensor:
        """That of the normal distribution, twice."""
        return 0.5 * math.log(2 / math.pi) - 0.5 * e.square()
