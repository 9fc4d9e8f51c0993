"""What a decoder's outputs say about data: distributions of x given numbers of the same shape."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from preimage.functional.event import sum_event


class Observation(nn.Module, abc.ABC):
    """A distribution of data ``(N, *event)``, one number of the decoder for each number of x.

    Example:
        >>> BernoulliObservation().log_prob(torch.ones(2, 3), torch.zeros(2, 3))
        tensor([-2.0794, -2.0794])
    """

    @abc.abstractmethod
    def log_prob(self, x: Tensor, decoded: Tensor) -> Tensor:
        """The log-density or log-probability of every row ``(N,)``."""

    @abc.abstractmethod
    def mean(self, decoded: Tensor) -> Tensor:
        """What is expected, of the shape of x."""

    @abc.abstractmethod
    def draw(self, decoded: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Data ``(N, *event)``."""


class BernoulliObservation(Observation):
    r"""Zeros and ones, the decoder gives log-odds; numbers between 0 and 1 count as shares of both.

    Reference: Kingma, Welling (2014), appendix C.1, https://arxiv.org/abs/1312.6114

    Example:
        >>> BernoulliObservation().mean(torch.zeros(1, 2))
        tensor([[0.5000, 0.5000]])
    """

    def log_prob(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Minus the cross-entropy."""
        return -sum_event(binary_cross_entropy_with_logits(decoded, x, reduction="none"))

    def mean(self, decoded: Tensor) -> Tensor:
        """The probability of a one."""
        return torch.sigmoid(decoded)

    def draw(self, decoded: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Zeros and ones."""
        return torch.bernoulli(self.mean(decoded), generator=generator)


class NormalObservation(Observation):
    r"""Normal numbers around those of the decoder, with one deviation that is learnt.

    Reference: Rybkin, Daniilidis, Levine (2021), Simple and effective VAE training with calibrated decoders,
    https://arxiv.org/abs/2006.13202

    Args:
        deviation: at the start.

    Raises:
        ValueError: the deviation is not positive.

    Example:
        >>> round(NormalObservation(1.0).log_prob(torch.zeros(1, 1), torch.zeros(1, 1)).item(), 4)
        -0.9189
    """

    def __init__(self, deviation: float = 1.0) -> None:
        super().__init__()
        if not 0 < deviation < math.inf:
            raise ValueError(f"NormalObservation: deviation is {deviation}, wanted a positive number")
        self.log_deviation = nn.Parameter(torch.tensor(math.log(deviation)))

    def log_prob(self, x: Tensor, decoded: Tensor) -> Tensor:
        """The normal log-density."""
        standard = (x - decoded) * torch.exp(-self.log_deviation)
        return sum_event(-0.5 * standard.square() - self.log_deviation - 0.5 * math.log(2 * math.pi))

    def mean(self, decoded: Tensor) -> Tensor:
        """The number itself."""
        return decoded

    def draw(self, decoded: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """With noise."""
        noise = torch.randn(decoded.shape, generator=generator, dtype=decoded.dtype, device=decoded.device)
        return decoded + self.log_deviation.exp() * noise
