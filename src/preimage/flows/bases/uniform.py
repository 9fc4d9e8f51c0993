"""The uniform distribution on a box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.checks import Context
from preimage.domains import Interval
from preimage.flows.bases.base import Base


class Uniform(Base):
    r"""Independent uniform latents, :math:`\log p(z) = -D \log(h - l)` inside the box.

    Args:
        event_shape: sizes of one latent.
        low: lower bound l of every element.
        high: upper bound h, above ``low``.

    Raises:
        ValueError: the bounds are not finite and in order.

    Cost: O(numel(z)).

    Example:
        >>> import torch
        >>> Uniform(2, low=0.0, high=2.0).log_prob(torch.tensor([[0.5, 1.0], [3.0, 1.0]]))
        tensor([-1.3863,    -inf])
    """

    def __init__(self, *event_shape: int, low: float = 0.0, high: float = 1.0) -> None:
        if not -math.inf < low < high < math.inf:
            raise ValueError(
                f"Uniform: got low={low}, high={high}, wanted two finite numbers, the lower first"
            )
        super().__init__(event_shape, Interval(low, high, *event_shape, closed=True))
        self.event_shape, self.low, self.high = event_shape, float(low), float(high)
        self.register_buffer("reference", torch.empty(0), persistent=False)

    def log_prob(self, z: Tensor, context: Context = None) -> Tensor:
        """The log-density of every row ``(N,)``."""
        inside = ((z >= self.low) & (z <= self.high)).flatten(1).all(dim=1)
        density = z.new_full((z.shape[0],), -self.dimensions() * math.log(self.high - self.low))
        return torch.where(inside, density, torch.full_like(density, -math.inf))

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Uniform numbers ``(N, *event)``."""
        like = self.get_buffer("reference").new_empty(rows, *self.event_shape)
        return like.uniform_(self.low, self.high, generator=generator)
