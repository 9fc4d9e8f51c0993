"""Noise that keeps densities of digitised recordings finite, and its place in the likelihood."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from preimage.checks import as_tuple, unpack
from preimage.classify import ClassifierLoss, Evidence
from preimage.functional.event import sum_event


class NoisyLoss(ClassifierLoss):
    r"""Another loss on data with Gaussian noise, :math:`x + u,\; u \sim \mathcal N(0, \sigma^2 I)`.

    Recordings are rounded, and channels may depend on each other exactly, as after an average reference: a
    density can then grow without bound. With noise it cannot. See :func:`noise_log_prob` for what the noise
    is worth when a likelihood is reported.

    Reference: Theis, van den Oord, Bethge (2016), A note on the evaluation of generative models, section 3.1,
    https://arxiv.org/abs/1511.01844

    Args:
        loss: of a generative classifier.
        deviation: standard deviation of the noise in training, in the units of the data, 0 or more.

    Raises:
        ValueError: the deviation is negative or not finite.

    Cost: one normal number for each number of the data.

    Example:
        >>> import torch
        >>> from preimage.classify import ClassAndBitsLoss
        >>> loss = NoisyLoss(ClassAndBitsLoss(), deviation=0.5)
        >>> loss.disturbed(torch.zeros(1000)).std() < 1
        tensor(True)
    """

    def __init__(self, loss: ClassifierLoss, deviation: float = 0.005) -> None:
        check_deviation("NoisyLoss", deviation)
        self.loss, self.deviation = loss, deviation

    def rows(self, evidence: Evidence) -> Tensor:
        """Those of the other loss ``(N,)``."""
        return self.loss.rows(evidence)

    def disturbed(self, x: Any) -> Any:
        """The input with noise."""
        return unpack(
            part + self.deviation * torch.randn_like(part) for part in as_tuple(self.loss.disturbed(x))
        )


def noise_log_prob(noise: Tensor, deviation: float) -> Tensor:
    r"""The log-density of the noise that was added, :math:`\log r(u_n)`, in nats, ``(N,)``.

    A likelihood of data that were disturbed, :math:`\log p(x + u) - \log r(u)`, bounds on average that of the
    data from below; without the second term it is no likelihood of x at all.

    Reference: Ho, Chen, Srinivas, Duan, Abbeel (2019), Flow++, section 3.1, https://arxiv.org/abs/1902.00275

    Args:
        noise: u ``(N, ...)``.
        deviation: its standard deviation, positive.

    Returns:
        Tensor ``(N,)``.

    Raises:
        ValueError: the deviation is not positive.

    Cost: O(numel(u)).

    Example:
        >>> noise_log_prob(torch.zeros(1, 2), 1.0)
        tensor([-1.8379])
    """
    if not 0 < deviation < math.inf:
        raise ValueError(f"noise_log_prob: deviation is {deviation}, wanted a positive number")
    density = -0.5 * (noise / deviation).square() - math.log(deviation) - 0.5 * math.log(2 * math.pi)
    return sum_event(density)


def check_deviation(where: str, deviation: float) -> None:
    """Refuse a standard deviation that is negative or not finite."""
    if not 0 <= deviation < math.inf:
        raise ValueError(f"{where}: deviation is {deviation}, wanted a number of 0 or more, such as 0.005")
