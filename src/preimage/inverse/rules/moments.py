"""The prior of an unknown value in the shape a solver wants it."""

from __future__ import annotations

from torch import Tensor

from preimage.inverse.registry import Site


def moments(site: Site, y: Tensor) -> tuple[Tensor, Tensor]:
    """Prior mean ``(N, *event)`` and spread of the unknown value; zero and one where nothing is known."""
    return _moments(site, y, site.shape)


def moments_of_samples(site: Site, y: Tensor) -> tuple[Tensor, Tensor]:
    """The same with one row a sample, whatever layout the unknown value has; y is ``(N, *)``."""
    return _moments(site, y, site.event)


def _moments(site: Site, y: Tensor, event: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    prior = None if site.context is None else site.context.prior(site.source)
    rows = (y.shape[0], *event)
    if prior is None or prior.mean.dim() > len(event):
        return y.new_zeros(rows), y.new_ones(1, *event)
    return prior.mean.to(y).expand(rows), prior.spread.clamp_min(1e-6).to(y).expand(1, *event)
