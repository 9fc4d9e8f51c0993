"""Base class of maps that add or drop channels, with what they contribute to a log-density."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.domains import Reals
from preimage.layers.surjection.noise import Noise


class Surjection(nn.Module, abc.ABC):
    r"""A map with one random direction, and what it contributes to the log-density of each row.

    Not a bijection: one direction draws numbers, the other drops them. Instead of a log_det each direction
    returns a log-weight w ``(N,)``, for use in the same place:

    .. math:: \log p(x) = \log p(y) + w \quad\text{(forward drops)}, \qquad
              \log p(x) \ge \mathbb E[\log p(y) + w] \quad\text{(forward draws)}.

    The weight belongs to the direction just run; the other direction on the same values gives its negative.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, https://arxiv.org/abs/2007.02731

    Example:
        >>> import torch
        >>> from preimage.layers import AugmentNoise, GaussianNoise
        >>> augment = AugmentNoise(2, GaussianNoise(1))
        >>> x = torch.ones(4, 2)
        >>> y, log_weight = augment.forward_and_log_weight(x)
        >>> torch.equal(augment.inverse_and_log_weight(y)[0], x), y.shape
        (True, torch.Size([4, 3]))
    """

    @abc.abstractmethod
    def forward_and_log_weight(self, x: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """Run data -> latent.

        Args:
            x: tensor ``(N, *event)``.
            generator: source of randomness; the global one by default.

        Returns:
            The latent, and the log-weight ``(N,)``.
        """

    @abc.abstractmethod
    def inverse_and_log_weight(self, y: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """Run latent -> data; arguments and returns as in :meth:`forward_and_log_weight`, mirrored."""

    def forward(self, x: Any, generator: torch.Generator | None = None) -> Any:
        """The latent alone."""
        return self.forward_and_log_weight(x, generator)[0]

    def inverse(self, y: Any, generator: torch.Generator | None = None) -> Any:
        """The data alone."""
        return self.inverse_and_log_weight(y, generator)[0]


def check_channels(where: str, word: str, value: Any, channels: int, noise: Noise) -> None:
    """Refuse what is not a floating-point tensor ``(N, channels, ...)`` like the noise."""
    checks.check_tensors(where, word, value, Reals(channels, ...), checks.reference_tensor(noise))


def append(noise: Noise, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """x and fresh noise side by side, and minus the log-density of the noise ``(N,)``."""
    e = noise.sample(x, generator)
    return torch.cat([x, e], dim=1), -noise.log_prob(e, x)


def drop(noise: Noise, joined: Tensor) -> tuple[Tensor, Tensor]:
    """x without the noise, and the log-density of the noise ``(N,)``."""
    x, e = joined.split([joined.shape[1] - noise.channels, noise.channels], dim=1)
    return x, noise.log_prob(e, x)
