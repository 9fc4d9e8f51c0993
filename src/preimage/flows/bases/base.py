"""The contract of a base distribution: a density of latents that can be drawn from."""

from __future__ import annotations

import abc
import math
from typing import Any

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.checks import Context, Domains
from preimage.domains import Domain, Reals
from preimage.errors import NotInvertibleError


class Base(nn.Module, abc.ABC):
    r"""A distribution of latents :math:`z \sim p(z \mid c)`: two methods to write, the rest is derived.

    Args:
        event_shape: shape of one latent, sizes of 1 or more.

    Raises:
        ValueError: a size is not positive.

    Example:
        >>> import torch
        >>> from preimage.flows import Normal
        >>> base = Normal(2)
        >>> base.log_prob(torch.zeros(3, 2))
        tensor([-1.8379, -1.8379, -1.8379])
        >>> base.draw(5).shape
        torch.Size([5, 2])
    """

    domain: Domains = Reals()
    """Where the latents live, with their fixed event shape."""
    context_domain: Domains | None = None
    """What the context must look like; None where the base takes none."""

    def __init__(self, event_shape: tuple[int, ...], domain: Domain | None = None) -> None:
        super().__init__()
        if any(not isinstance(size, int) or size < 1 for size in event_shape):
            raise ValueError(
                f"{type(self).__name__}: event shape is {event_shape}, wanted positive sizes,"
                " such as (3, 32, 32)"
            )
        self.domain = Reals(*event_shape) if domain is None else domain

    @abc.abstractmethod
    def log_prob(self, z: Any, context: Context = None) -> Tensor:
        """The log-density of every row, in nats.

        Args:
            z: tensor ``(N, *event)``, or a tuple of such for a joint distribution.
            context: conditioning values ``(N, ...)``, for bases that take one.

        Returns:
            Tensor ``(N,)``.
        """

    @abc.abstractmethod
    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Any:
        """Latents, one a row.

        Args:
            rows: number of rows N.
            context: conditioning values ``(N, ...)``, one for each row.
            generator: source of randomness; the global one by default.

        Returns:
            Tensor ``(N, *event)``, or a tuple of such.
        """

    def forward(self, z: Any, context: Context = None) -> Tensor:
        """The log-density, as :meth:`log_prob`."""
        return self.log_prob(z, context)

    @property
    def reparametrised(self) -> bool:
        """Whether a draw is differentiable in the parameters and in the context."""
        return True

    def tempered(self, temperature: float) -> Base:
        """The same distribution with all deviations from its location multiplied; parameters are shared.

        Args:
            temperature: positive factor; below 1 the draws are closer to the mode.

        Raises:
            NotInvertibleError: the distribution has no such family.
        """
        raise NotInvertibleError(
            f"{type(self).__name__}: has no temperature; use Normal, StudentT, FullRankNormal or a mixture"
        )

    def truncated(self, bound: float) -> Base:
        """The same distribution, restricted to deviations up to ``bound`` standard deviations.

        Args:
            bound: positive number.

        Raises:
            NotInvertibleError: the distribution cannot be truncated in closed form.
        """
        raise NotInvertibleError(f"{type(self).__name__}: cannot be truncated in closed form; use Normal")

    def named(self, z: Any) -> Any:
        """Latents as a user sees them: unchanged here, with names where there are several."""
        return z

    def dimensions(self) -> int:
        """How many numbers one latent holds."""
        shapes = [domain.fixed for domain in checks.as_tuple(self.domain)]
        return sum(math.prod(size or 1 for size in shape) for shape in shapes)


def check_temperature(where: str, temperature: float) -> None:
    """Refuse a temperature or bound that is not a positive number."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"{where}: got {temperature}, wanted a positive number, such as 0.7")
