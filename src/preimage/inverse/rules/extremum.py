"""Largest and smallest numbers along axes."""

from __future__ import annotations

from math import prod

from torch import Tensor

from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse


@register_inverse("amax", "amin", guarantee=Guarantee.RIGHT)
def extremum(site: Site, y: Tensor) -> Solved:
    """x = y at every place along the axes: the largest preimage of a maximum, the least of a minimum."""
    rank = len(site.shape) + 1
    dims = site.operand(1, "dim", [])
    axes = sorted({dim % rank for dim in ([dims] if isinstance(dims, int) else dims)})
    if not site.operand(2, "keepdim", False):
        for axis in axes:
            y = y.unsqueeze(axis)
    copies = prod(site.shape[axis - 1] for axis in axes)
    return Solved(y.expand(-1, *site.shape).clone(), exact=1.0 / max(1, copies))
