"""The posterior as a few members of the preimage: for networks too large for covariances written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, relative_residual
from preimage.errors import DomainError
from preimage.inverse.posterior.activity import box_mean
from preimage.inverse.posterior.posterior import Posterior, normal_numbers
from preimage.inverse.posterior.remembered import remembered_covariance
from preimage.inverse.preimages.reach import Reach
from preimage.inverse.smooth import is_spatial
from preimage.inverse.solvers.effort import Effort
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.on_demand import OnDemand

MEMBERS = 8
"""Draws from which mean and spread are estimated."""

AROUND = 7
"""Places along an axis over which spreads are averaged: eight members alone tell them to a quarter."""


CLOSE = 0.05
"""Relative residual up to which the most probable member is preferred to one that is nearer to f(x) = y."""


@final
class EnsemblePosterior(Posterior):
    """The mean and spread of some inputs that all have the answer y.

    Where inputs have neighbours and the network has batch norms, inputs are drawn with the covariance that
    the first of these remembers, see :func:`remembered_covariance`, and moved to f(x) = y by the most
    probable way; else as ``inverse.sample`` does.

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
        self._covariance = remembered_covariance(inverse.graph, self._question.wanted)
        x, self.members = self._found(members)
        drawn = self._question.packing.pack(x).unflatten(0, (-1, members))  # (N, members, *packed)
        self._middle, variance = drawn.mean(1), drawn.var(1)
        self._variance = self._smoothed(variance) * (1 + 1 / members)
        self._certificate = inverse.evidence(self.mean, y, tap, None)

    @property
    def mode(self) -> str:
        """What the distribution was learnt from."""
        text = f"data-free, from {len(self.members) // len(self._middle)} members of the preimage"
        varied = ", as varied as the first batch norm remembers"
        return text if self._covariance is None else text + varied

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

    def _found(self, members: int) -> tuple[Values, Certificate]:
        """Members of the preimage, and how far each came."""
        if self._covariance is None:
            return self._inverse.sample(self._y, members, self._tap)
        question = self._question
        reach = Reach(question.f, Effort(tolerance=1e-6), self._covariance)
        first = self._centre(reach).repeat_interleave(members, 0)
        noise = normal_numbers(tuple(first.shape), first, torch.Generator().manual_seed(0))
        wanted = question.wanted.repeat_interleave(members, 0)
        x, certificate = reach.persistently(wanted, first + self._covariance.root(noise))
        return question.unpack(x), certificate

    def _centre(self, reach: Reach) -> Tensor:
        """The most probable member, found from zero; where that fails, the one-shot answer."""
        wanted, first = self._question.wanted, self._question.start(None)
        probable, certificate = reach.once(wanted, torch.zeros_like(first))
        with torch.no_grad():
            known = relative_residual(self._question.f(first), wanted)
        better = certificate.residual <= known.clamp_min(CLOSE)
        return torch.where(better.view(-1, *[1] * (first.dim() - 1)), probable, first)

    def _smoothed(self, variance: Tensor) -> Tensor:
        if not is_spatial(self._question.shape):
            return variance
        maps = variance if variance.dim() == 4 else variance[..., None]  # (N, C, H, W)
        return box_mean(maps, AROUND).reshape(variance.shape)
