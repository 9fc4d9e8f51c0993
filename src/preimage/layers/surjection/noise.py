"""Distributions of values that a surjection adds."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn

from preimage.functional.event import align_event, sum_event


class Noise(nn.Module, abc.ABC):
    """A distribution q(e | x) of further channels e for an input x.

    Args:
        channels: number of channels of e.

    Example:
        >>> import torch
        >>> GaussianNoise(2).sample(torch.zeros(5, 3, 4)).shape
        torch.Size([5, 2, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"{type(self).__name__}: channels is {channels}, wanted 1 or more")
        self.channels = channels

    @abc.abstractmethod
    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw e, differentiably in the parameters.

        Args:
            x: tensor ``(N, C, ...)``.
            generator: source of randomness; the global one by default.

        Returns:
            Tensor ``(N, channels, ...)``.
        """

    @abc.abstractmethod
    def element_log_prob(self, e: Tensor, x: Tensor) -> Tensor:
        """The log-density of every element, of the shape of e."""

    def log_prob(self, e: Tensor, x: Tensor) -> Tensor:
        r"""The log-density of every row, :math:`\log q(e_n \mid x_n)`.

        Args:
            e: tensor ``(N, channels, ...)``.
            x: tensor ``(N, C, ...)``.

        Returns:
            Tensor ``(N,)``.
        """
        return sum_event(self.element_log_prob(e, x))


class NormalNoise(Noise, abc.ABC):
    """Noise of normal distributions; subclasses say of which mean and deviation.

    Args:
        channels: number of channels of e.

    Example:
        >>> issubclass(GaussianNoise, NormalNoise)
        True
    """

    @abc.abstractmethod
    def mean_and_log_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of e, each broadcasting to ``(N, channels, *x.shape[2:])``."""

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Stretched and shifted standard normal numbers."""
        shape = (x.shape[0], self.channels, *x.shape[2:])
        standard = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
        mean, log_scale = self.mean_and_log_scale(x)
        return mean + log_scale.exp() * standard

    def element_log_prob(self, e: Tensor, x: Tensor) -> Tensor:
        """The normal log-density."""
        mean, log_scale = self.mean_and_log_scale(x)
        standard = (e - mean) * torch.exp(-log_scale)
        return -0.5 * standard.square() - log_scale - 0.5 * math.log(2 * math.pi)


class GaussianNoise(NormalNoise):
    r"""Gaussian noise that does not look at x, :math:`e \sim \mathcal N(\mu, \sigma^2)`, learnt.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2020), VFlow, https://arxiv.org/abs/2002.09741

    Args:
        channels: number of channels of e.
        deviation: standard deviation at the start.

    Raises:
        ValueError: a number is not positive.

    Cost: O(numel(e)).

    Example:
        >>> import torch
        >>> GaussianNoise(1).log_prob(torch.zeros(2, 1), torch.zeros(2, 3))
        tensor([-0.9189, -0.9189], grad_fn=<SumBackward1>)
    """

    def __init__(self, channels: int, deviation: float = 1.0) -> None:
        super().__init__(channels)
        if not 0 < deviation < math.inf:
            raise ValueError(
                f"GaussianNoise: deviation is {deviation}, wanted a positive number, such as 1.0"
            )
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.full((channels,), math.log(deviation)))

    def mean_and_log_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The parameters, seen per channel."""
        return align_event(self.mean, x), align_event(self.log_scale, x)


class ConditionalGaussianNoise(NormalNoise):
    r"""Gaussian noise whose parameters a network computes, :math:`e \sim \mathcal N(\mu(x), \sigma(x)^2)`.

    The tighter choice for a bound: the best q(e | x) is the posterior of the extra channels.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2020), VFlow, section 3, https://arxiv.org/abs/2002.09741

    Args:
        channels: number of channels of e.
        conditioner: module from x ``(N, C, ...)`` to ``(N, 2 * channels, ...)``, means first, then log
            standard deviations.

    Raises:
        ValueError: ``channels`` is not positive.

    Cost: one run of the conditioner.

    Example:
        >>> import torch
        >>> noise = ConditionalGaussianNoise(2, torch.nn.Linear(3, 4))
        >>> noise.sample(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(self, channels: int, conditioner: nn.Module) -> None:
        super().__init__(channels)
        self.conditioner = conditioner

    def mean_and_log_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the network says."""
        mean, log_scale = self.conditioner(x).to(x.dtype).chunk(2, dim=1)
        return mean, log_scale
