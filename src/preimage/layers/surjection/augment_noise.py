"""Append noise on the way to the latent."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.layers.surjection.noise import Noise
from preimage.layers.surjection.surjection import Likelihood, Surjection, append, check_channels, drop


class AugmentNoise(Surjection):
    r"""Append noise on the way to the latent, :math:`y = [x; e]` with :math:`e \sim q(e \mid x)`.

    The log-weight is :math:`-\log q(e \mid x)`, so that averages over e bound log p(x) from below; equality
    holds where q is the posterior of the extra channels. The way back drops e, weight
    :math:`+\log q(e \mid x)`.

    Reference: Huang, Dinh, Courville (2020), Augmented normalizing flows, https://arxiv.org/abs/2002.07101

    Args:
        channels: number of channels of x.
        noise: the distribution q.

    Returns:
        y ``(N, channels + noise.channels, ...)``, and the log-weight ``(N,)``.

    Raises:
        ShapeError: x has another number of channels.

    Cost: that of the noise.

    Example:
        >>> import torch
        >>> from preimage.layers import GaussianNoise
        >>> AugmentNoise(2, GaussianNoise(3))(torch.zeros(1, 2)).shape
        torch.Size([1, 5])
    """

    @property
    def likelihood(self) -> Likelihood:
        """Forward draws."""
        return "bound"

    def __init__(self, channels: int, noise: Noise) -> None:
        super().__init__()
        self.channels, self.noise = channels, noise

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Append."""
        check_channels("AugmentNoise.forward_and_log_weight", "x", x, self.channels, self.noise)
        return append(self.noise, x, generator)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Drop."""
        check_channels(
            "AugmentNoise.inverse_and_log_weight", "y", y, self.channels + self.noise.channels, self.noise
        )
        return drop(self.noise, y)
