"""Cut at zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.domains import Interval, Reals
from preimage.functional.event import sum_event
from preimage.layers.surjection.positive_noise import PositiveNoise
from preimage.layers.surjection.surjection import Likelihood, Surjection, check_values


class ReLUSurjection(Surjection):
    r"""Data that a threshold has cut, :math:`x = \max(y, 0)`: forward draws the values below zero.

    For data with exact zeros, such as rain, spending or activations. Where x is 0, :math:`y = -e` with
    :math:`e \sim q(e \mid x)`, and the log-weight is :math:`-\sum_{x = 0} \log q(e \mid x)`. Averages bound
    log p(x) from below, where p has a probability at 0 and a density above. ``.inv`` cuts the latent instead.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, table 2 (ReLU),
    https://arxiv.org/abs/2007.02731

    Args:
        noise: the distribution q, with as many channels as x; its conditioner sees x.

    Returns:
        y of the shape of x ``(N, C, ...)``, and the log-weight ``(N,)``.

    Raises:
        ShapeError: x has other channels than the noise.
        DomainError: an x is negative.

    Cost: that of the noise.

    Example:
        >>> from preimage.layers import ExponentialNoise
        >>> surjection = ReLUSurjection(ExponentialNoise(2))
        >>> x = torch.tensor([[0.0, 1.5]])
        >>> torch.equal(surjection.inverse(surjection(x)), x), surjection.likelihood
        (True, 'bound')
    """

    def __init__(self, noise: PositiveNoise) -> None:
        super().__init__()
        self.noise = noise

    @property
    def likelihood(self) -> Likelihood:
        """Forward draws."""
        return "bound"

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw what lies below zero."""
        domain = Interval(0, math.inf, self.noise.channels, ..., closed=True)
        check_values("ReLUSurjection.forward_and_log_weight", "x", x, domain, self.noise)
        below = -self.noise.sample(x, generator).clamp_min(torch.finfo(x.dtype).tiny)
        y = torch.where(x == 0, below, x)
        return y, -self._log_prob(y, x)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cut."""
        check_values(
            "ReLUSurjection.inverse_and_log_weight", "y", y, Reals(self.noise.channels, ...), self.noise
        )
        x = y.clamp_min(0)
        return x, self._log_prob(y, x)

    def _log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        each = self.noise.element_log_prob((-y).clamp_min(0), x)
        return sum_event(torch.where(y > 0, torch.zeros_like(each), each))
