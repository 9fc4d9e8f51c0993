"""Saturating activations: unsaturated outputs are equations, saturated ones inequalities."""

from __future__ import annotations

from torch import Tensor

from preimage.inverse.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.roles import saturation_bounds
from preimage.inverse.rules.range import within


@register_inverse("relu", "relu6", "hardtanh", "clamp", "clip", "clamp_min", "clamp_max", guarantee=Guarantee.RIGHT)
def alone(site: Site, y: Tensor) -> Solved:
    """x = y: a preimage of every y in the range. Saturated values could have been anything beyond the bound."""
    low, high = saturation_bounds(site.node) or (0.0, float("inf"))
    x = y.clamp(low, high)
    saturated = ((y <= low) | (y >= high)).double().mean().item() if y.numel() else 0.0
    return within(x, x != y, y - x, site.operation, exact=1.0 - saturated)


@register_inverse("preimage::saturation", guarantee=Guarantee.CERTIFIED)
def region(site: Site, y: Tensor) -> Solved:
    return Solved(y)
