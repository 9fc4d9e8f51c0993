"""Max pooling, strided or adaptive: the largest input that pools to y."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.recorded import POOLS
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.pool_windows import axes_of, pooled_sizes, positions, windows_of

Interval = tuple[Tensor, Tensor]
"""Lower and upper bound of every number, ``(N, *event)`` each."""


@register_inverse(*POOLS, guarantee=Guarantee.RIGHT)
def max_pool(site: Site, y: Tensor) -> Solved:
    """x at p = min of y over all windows that contain p.

    This is the erosion that is adjoint to the dilation "max": f(g(y)) = y for every y that is a pooled map,
    and no larger x has that property (Serra, 1982, Image Analysis and Mathematical Morphology). Positions
    that no window reads get the smallest value.
    """
    x = largest(site, y)
    return Solved(x, exact=min(1.0, y[0].numel() / max(1, x[0].numel())))


@register_inverse(*(f"{name}_with_indices" for name in POOLS), guarantee=Guarantee.RIGHT)
def max_pool_with_indices(site: Site, y: Sequence[Tensor] | Tensor) -> Solved:
    """x at the places that were given = y; elsewhere just below the smallest y whose window looks there.

    Just below, because pooling names the first of equal numbers: so it gives the same places again.
    """
    values, places = y
    lower, upper = known_interval(site, values, places)
    below = torch.nextafter(torch.where(upper.isinf(), largest(site, values), upper), -upper.abs() - 1)
    known = lower == upper
    share = known.double().mean().item() if known.numel() else 1.0
    return Solved(torch.where(known, upper, below), exact=share)


def known_interval(site: Site, y: Tensor, places: Tensor) -> Interval:
    """What y and its places say of the value that was pooled.

    A place that several windows read gets the largest of what they say.

    Args:
        site: the pooling.
        y: the largest number of every window, ``(N, ..., *pooled axes)``.
        places: flat positions of these numbers over the pooled axes, of the shape of y.
    """
    axes = len(pooled_sizes(site, y))
    upper = largest(site, y)
    flat = upper.flatten(-axes)
    index, values = places.flatten(-axes), y.flatten(-axes)
    read = torch.full_like(flat, -math.inf).scatter_reduce(-1, index, values, "amax").view_as(upper)
    known = ~read.isinf()
    upper = torch.where(known, read, torch.where(seen(site, y), upper, math.inf))
    return torch.where(known, upper, -math.inf), upper


def largest(site: Site, y: Tensor) -> Tensor:
    """The largest x that pools to y, ``(N, *event)``; an upper bound of every other one."""
    sizes = pooled_sizes(site, y)
    axes = axes_of(site, sizes)
    x = _erode(y.flatten(-len(axes)), windows_of(axes), positions(axes))
    return x.reshape(y.shape[0], *site.shape)


def seen(site: Site, y: Tensor) -> Tensor:
    """Which positions any window reads, bool of the shape of the pooled axes of x."""
    axes = axes_of(site, pooled_sizes(site, y))
    flags = torch.zeros(positions(axes), dtype=torch.bool, device=y.device)
    windows = windows_of(axes)
    flags[windows[windows >= 0]] = True
    return flags.view([axis.size for axis in axes])


def _erode(y: Tensor, windows: Tensor, positions: int) -> Tensor:
    """Minimum over the windows that contain each position; y is ``(..., windows)``."""
    values = y.unsqueeze(-1).expand(*y.shape, windows.shape[1]).flatten(-2)
    target = torch.where(windows < 0, positions, windows).flatten().to(y.device).expand_as(values)
    x = y.new_full((*y.shape[:-1], positions + 1), float("inf")).scatter_reduce(-1, target, values, "amin")
    x = x[..., :positions]
    return torch.where(x.isinf(), y.amin(-1, keepdim=True), x)
