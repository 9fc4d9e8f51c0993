"""Random looks at pictures, so that what is found does not depend on one pixel grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

TURN = 0.15
"""Largest turn, in radians."""


def look(x: Tensor, shift: float, zoom: float, generator: torch.Generator) -> Tensor:
    """Pictures moved, turned, mirrored and magnified at random; recordings are moved; other inputs stay.

    All samples alike, so that none depends on its neighbours.

    Args:
        x: ``(N, C, H, W)``, ``(N, C, L)`` or ``(N, F)``.
        shift: largest movement, as a part of the width.
        zoom: largest change of scale.
        generator: of the random numbers.
    """
    if x.dim() == 3:
        most = int(shift * x.shape[2])
        return x.roll(int(torch.randint(-most, most + 1, (1,), generator=generator)), 2)
    if x.dim() != 4:
        return x
    places = _places(len(x), shift, zoom, generator).to(x)  # (N, 2, 3)
    grid = functional.affine_grid(places, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _places(count: int, shift: float, zoom: float, generator: torch.Generator) -> Tensor:
    """A random affine map of the picture plane, one for all pictures, ``(count, 2, 3)``."""
    scale, angle, across, down, side = (2 * torch.rand(5, generator=generator) - 1).tolist()
    scale, angle = math.exp(math.log1p(zoom) * scale), TURN * angle
    cos, sin, mirror = scale * math.cos(angle), scale * math.sin(angle), math.copysign(1.0, side)
    rows = [[cos * mirror, -sin, 2 * shift * across], [sin * mirror, cos, 2 * shift * down]]
    return torch.tensor(rows).expand(count, 2, 3)
