"""Densities in the plane that can be looked at."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from preimage.datasets.dataset import Dataset, split_sizes
from preimage.errors import DataFileError

Draw = Callable[[int, torch.Generator], Tensor]


def draw_moons(count: int, generator: torch.Generator) -> Tensor:
    """Points on two half circles that reach into each other, with noise of 0.1 ``(N, 2)``."""
    upper = torch.rand(count, generator=generator) < 0.5
    angle = math.pi * torch.rand(count, generator=generator)
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    return torch.stack([x, y], dim=1) + 0.1 * torch.randn(count, 2, generator=generator)


def draw_circles(count: int, generator: torch.Generator) -> Tensor:
    """Points on circles of radius 1 and 2, with noise of 0.1 ``(N, 2)``."""
    radius = 1 + (torch.rand(count, generator=generator) < 0.5).float()
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    ring = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return ring + 0.1 * torch.randn(count, 2, generator=generator)


def draw_spirals(count: int, generator: torch.Generator) -> Tensor:
    """Points on two spirals of one and a half turns, with noise of 0.1 ``(N, 2)``."""
    angle = 3 * math.pi * torch.rand(count, generator=generator).sqrt()
    side = 2 * (torch.rand(count, generator=generator) < 0.5).float() - 1
    arm = (side * angle / 3)[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return arm + 0.1 * torch.randn(count, 2, generator=generator)


def draw_checkerboard(count: int, generator: torch.Generator) -> Tensor:
    r"""Points in the eight black fields of a board of 4 x 4 with sides of 1: log-density :math:`-\log 8`."""
    field = torch.randint(8, (count,), generator=generator)
    row = field // 2
    column = 2 * (field % 2) + row % 2
    corner = torch.stack([column, row], dim=1) - 2.0
    return corner + torch.rand(count, 2, generator=generator)


DRAWS: dict[str, Draw] = {
    "moons": draw_moons,
    "circles": draw_circles,
    "spirals": draw_spirals,
    "checkerboard": draw_checkerboard,
}
"""How to draw points of every toy, by its name."""


def toy(name: str, rows: int = 20_000, generator: torch.Generator | None = None) -> Dataset:
    """A density in the plane: ``"moons"``, ``"circles"``, ``"spirals"`` or ``"checkerboard"``.

    Args:
        name: which.
        rows: points altogether, 12 or more.
        generator: source of randomness; one of seed 0 by default.

    Returns:
        Points ``(N, 2)`` in float32.

    Raises:
        DataFileError: there is none of this name, or too few rows are wanted.

    Cost: none to speak of.

    Example:
        >>> toy("moons", rows=100)
        Dataset('moons', rows of shape (2,): train 81, validation 9, test 10)
    """
    if name not in DRAWS:
        raise DataFileError(f"toy: there is no {name!r}, wanted one of {', '.join(DRAWS)}")
    sizes = list(split_sizes(rows, name))
    points = DRAWS[name](rows, generator or torch.Generator().manual_seed(0))
    return Dataset(name, *points.split(sizes), names=("x", "y"), units=("1", "1"), source="drawn")
