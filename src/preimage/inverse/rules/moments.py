"""The prior of an unknown value in the shape a solver wants it."""

from __future__ import annotations

from torch import Tensor

from preimage.inverse.registry import Site


def moments(site: Site, y: Tensor) -> tuple[Tensor, Tensor]:
    """Prior mean ``(N, *event)`` and spread of the unknown value; zero and one where nothing is known."""
    prior = None if site.context is None else site.context.prior(site.source)
    rows = (y.shape[0], *site.shape)
    if prior is None:
        return y.new_zeros(rows), y.new_ones(1, *site.shape)
    return prior.mean.to(y).expand(rows), prior.spread.clamp_min(1e-6).to(y).expand(1, *site.shape)
