"""The posterior as a few members of the preimage: for networks too large for covariances written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.errors import DomainError
from preimage.inverse.posterior.activity import box_mean
from preimage.inverse.posterior.posterior import Posterior, normal_numbers
from preimage.inverse.smooth import is_spatial
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.on_demand import OnDemand

MEMBERS = 8
"""Draws from which mean and spread are estimated."""

AROUND = 7
"""Places along an axis over which spreads are averaged: eight members alone tell them to a quarter."""


@final
class EnsemblePosterior(Posterior):
    """The mean and spread of some inputs that all have the answer y, drawn as ``inverse.sample`` does.

    Reference: Y. Hoffman and E. Ribak (1991), https://doi.org/10.1086/186160: for a linear network, random
    inputs moved onto the preimage by the shortest way are draws from the exact posterior.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``; a tuple for a network with several outputs.
        tap: label, value or module path; the network's output when None.
        members: how many inputs are drawn, at least 2.

    Raises:
        DomainError: for fewer than two members.

    Cost: a solve for each member.
    """

    def __init__(
        self, inverse: OnDemand, y: Values, tap: str | TapLike | None = None, members: int = MEMBERS
    ) -> None:
        super().__init__(inverse, y, tap)
        if members < 2:
            raise DomainError(f"got members={members}; a spread needs two at least")
        x, self.members = inverse.sample(y, members, tap)
        drawn = self._question.packing.pack(x).unflatten(0, (-1, members))  # (N, members, *packed)
        self._middle, variance = drawn.mean(1), drawn.var(1)
        self._variance = self._smoothed(variance) * (1 + 1 / members)
        self._certificate = inverse.evidence(self.mean, y, tap, None)

    @property
    def mode(self) -> str:
        """What the distribution was learnt from."""
        return f"data-free, from {len(self.members) // len(self._middle)} members of the preimage"

    @property
    def _mean(self) -> Tensor:
        return self._middle

    @property
    def _deviation(self) -> Tensor:
        return self._variance.sqrt()

    def _half_width(self, level: float) -> Tensor:
        if not 0.0 < level < 1.0:
            raise DomainError(f"got level={level}; a probability above 0 and below 1 was wanted")
        quantile = torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64))
        return self._deviation * quantile.item()

    def _drawn(self, count: int, generator: torch.Generator | None) -> Tensor:
        like = self._deviation.repeat_interleave(count, 0)
        noise = normal_numbers(tuple(like.shape), like, generator)
        return self._middle.repeat_interleave(count, 0) + like * noise

    def _smoothed(self, variance: Tensor) -> Tensor:
        if not is_spatial(self._question.shape):
            return variance
        maps = variance if variance.dim() == 4 else variance[..., None]  # (N, C, H, W)
        return box_mean(maps, AROUND).reshape(variance.shape)
