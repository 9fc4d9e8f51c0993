"""The normal distribution without its tails."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.checks import Context
from preimage.flows.bases.base import Base, check_temperature

if TYPE_CHECKING:
    from preimage.flows.bases.location_scale import LocationScale


class TruncatedNormal(Base):
    r"""Independent normal latents restricted to :math:`|z_i - \mu_i| \le b\, \sigma_i`.

    .. math:: \log p_b(z) = \log p(z) - D \log \operatorname{erf}(b / \sqrt 2)

    within the bound, :math:`-\infty` outside. Drawn through the inverse distribution function, so no draw is
    rejected.

    Reference: Brock, Donahue, Simonyan (2019), BigGAN, section 3.1, https://arxiv.org/abs/1809.11096

    Args:
        base: a location-scale base around the normal distribution.
        bound: positive number of standard deviations.

    Raises:
        ValueError: the bound is not positive.

    Cost: O(numel(z)).

    Example:
        >>> import torch
        >>> from preimage.flows import Normal
        >>> draws = TruncatedNormal(Normal(4), 1.5).draw(100)
        >>> bool((draws.abs() <= 1.5).all())
        True
    """

    def __init__(self, base: LocationScale, bound: float) -> None:
        super().__init__(base.event_shape)
        check_temperature(f"{type(base).__name__}.truncated", bound)
        self.base, self.bound = base, float(bound)
        self.context_domain = base.context_domain

    def log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The log-density of every row ``(N,)``."""
        location, log_scale = self.base.location_and_log_scale(context)
        inside = ((z - location).abs() <= self.bound * log_scale.exp()).flatten(1).all(dim=1)
        mass = math.log(math.erf(self.bound / math.sqrt(2)))
        log_prob = self.base.log_prob(z, context) - self.dimensions() * mass
        return torch.where(inside, log_prob, torch.full_like(log_prob, -math.inf))

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """The quantiles of uniform numbers between those of the bounds."""
        location, log_scale = self.base.location_and_log_scale(context)
        like = location.new_empty(rows, *self.base.event_shape)
        mass = math.erf(self.bound / math.sqrt(2))
        uniform = like.uniform_(-mass, mass, generator=generator)
        u = (math.sqrt(2) * torch.erfinv(uniform)).clamp(-self.bound, self.bound)
        return location + log_scale.exp() * u

    def tempered(self, temperature: float) -> Base:
        """The base tempered, and truncated at the same number of standard deviations."""
        return self.base.tempered(temperature).truncated(self.bound)

    def extra_repr(self) -> str:
        """The bound."""
        return f"bound={self.bound}"
