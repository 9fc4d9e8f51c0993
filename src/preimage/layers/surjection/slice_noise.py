"""Append noise on the way to the data."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.layers.surjection.noise import Noise
from preimage.layers.surjection.surjection import Likelihood, Surjection, append, check_channels, drop


class SliceNoise(Surjection):
    r"""Append noise on the way to the data, :math:`x = [y; e]` with :math:`e \sim q(e \mid y)`.

    Forward drops e. Its log-weight is :math:`+\log q(e \mid y)`, and the log-density is exact. In a generator
    this is how fresh noise enters between two layers; encoding recovers it.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, table 2 (slicing),
    https://arxiv.org/abs/2007.02731

    Args:
        channels: number of channels of y, those that stay.
        noise: the distribution q.

    Returns:
        y ``(N, channels, ...)``, and the log-weight ``(N,)``.

    Raises:
        ShapeError: x has another number of channels.

    Cost: that of the noise.

    Example:
        >>> import torch
        >>> from preimage.layers import GaussianNoise
        >>> slicing = SliceNoise(1, GaussianNoise(1))
        >>> slicing.forward_and_log_weight(torch.tensor([[5.0, 0.0]]))
        (tensor([[5.]]), tensor([-0.9189], grad_fn=<SumBackward1>))
    """

    @property
    def likelihood(self) -> Likelihood:
        """Forward drops."""
        return "exact"

    def __init__(self, channels: int, noise: Noise) -> None:
        super().__init__()
        self.channels, self.noise = channels, noise

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Drop."""
        check_channels(
            "SliceNoise.forward_and_log_weight", "x", x, self.channels + self.noise.channels, self.noise
        )
        return drop(self.noise, x)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Append."""
        check_channels("SliceNoise.inverse_and_log_weight", "y", y, self.channels, self.noise)
        return append(self.noise, y, generator)
