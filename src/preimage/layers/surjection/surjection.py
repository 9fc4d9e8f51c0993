"""Base class of maps that draw in one direction and drop in the other, with the weight of a log-density."""

from __future__ import annotations

import abc
from typing import Any, Literal

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.domains import Domain, Reals
from preimage.layers.surjection.noise import Noise

Likelihood = Literal["exact", "bound"]


class Surjection(nn.Module, abc.ABC):
    r"""A map with one random direction, and what it contributes to the log-density of each row.

    Not a bijection: one direction draws numbers, the other drops them. Instead of a log_det each direction
    returns a log-weight w ``(N,)``, for use in the same place:

    .. math:: \log p(x) = \log p(y) + w \quad\text{(forward drops)}, \qquad
              \log p(x) \ge \mathbb E[\log p(y) + w] \quad\text{(forward draws)}.

    The weight belongs to the direction just run; the other direction on the same values gives its negative.
    ``likelihood`` says which of the two lines holds: ``"exact"`` or ``"bound"``. ``inv`` swaps the
    directions, and with them the two.

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

    @property
    @abc.abstractmethod
    def likelihood(self) -> Likelihood:
        """Whether ``log p(y) + w`` is the log-density of x, or bounds it from below on average."""

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

    def middle(self, x: Any) -> Any:
        """One fixed latent of x, for answers that must not change from call to call: by default one draw."""
        device = checks.as_tuple(x)[0].device
        return self.forward(x, torch.Generator(device).manual_seed(0))

    @property
    def inv(self) -> Surjection:
        """This map with its directions swapped: a view that shares the parameters; ``s.inv.inv is s``."""
        return InvertedSurjection(self)


class InvertedSurjection(Surjection):
    """A surjection with its directions swapped; what ``s.inv`` returns.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, https://arxiv.org/abs/2007.02731

    Args:
        surjection: the map to swap; its parameters are shared.

    Cost: that of the map.

    Example:
        >>> from preimage.layers import AugmentNoise, GaussianNoise
        >>> augment = AugmentNoise(2, GaussianNoise(1))
        >>> augment.likelihood, augment.inv.likelihood, augment.inv.inv is augment
        ('bound', 'exact', True)
    """

    def __init__(self, surjection: Surjection) -> None:
        super().__init__()
        self.surjection = surjection

    @property
    def likelihood(self) -> Likelihood:
        """The other one: what drew now drops."""
        return "bound" if self.surjection.likelihood == "exact" else "exact"

    def forward_and_log_weight(self, x: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """The inverse of the inner map."""
        return self.surjection.inverse_and_log_weight(x, generator)

    def inverse_and_log_weight(self, y: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """The inner map."""
        return self.surjection.forward_and_log_weight(y, generator)

    @property
    def inv(self) -> Surjection:
        """The inner map itself."""
        return self.surjection


def check_values(where: str, word: str, value: Any, domain: Domain, module: nn.Module) -> None:
    """Refuse what is not a floating-point tensor of the domain, of the dtype and device of the module."""
    checks.check_tensors(where, word, value, domain, checks.reference_tensor(module))
    checks.check_values(where, word, value, domain)


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
