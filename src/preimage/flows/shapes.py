"""Shapes of samples and contexts, and whether the parts of a flow fit together."""

from __future__ import annotations

from typing import Any

from preimage.bijection import Bijection
from preimage.checks import as_tuple, unpack
from preimage.domains import Domain
from preimage.errors import ShapeError
from preimage.flows.bases.base import Base


def sample_rows(count: int, context: Any) -> tuple[int, tuple[int, ...]]:
    """How many rows to draw, and the sample and batch dimensions that they are given afterwards."""
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"Flow.sample: count is {count!r}, wanted a number of samples, such as 64")
    if context is None:
        return count, (count,)
    batch = as_tuple(context)[0].shape[0]
    return count * batch, (count, batch)


def repeated(context: Any, count: int) -> Any:
    """Every row of the context once for every sample, samples first."""
    if context is None:
        return None
    return unpack(c.expand(count, *c.shape).reshape(-1, *c.shape[1:]) for c in as_tuple(context))


def check_fit(bijection: Bijection, base: Base) -> None:
    """Refuse a base whose event shape is not that of the latents."""
    latents, drawn = as_tuple(bijection.codomain), as_tuple(base.domain)
    sizes = [[size or 1 for size in domain.fixed] for domain in drawn]
    fits = len(latents) == len(drawn) and all(map(Domain.fits, latents, sizes))
    if not fits:
        gives = ", ".join(domain.describe_shape() for domain in latents)
        wants = ", ".join(domain.describe_shape() for domain in drawn)
        raise ShapeError(
            f"Flow: the bijection gives latents {gives}, but the base has {wants}; give the base the event"
            " shape of the latents, and Joint for several"
        )
