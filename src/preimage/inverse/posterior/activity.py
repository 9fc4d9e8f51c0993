"""What tells how wrong an estimate is likely to be at each place: how busy it is there, and its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.inverse.calibrate.grid import Grid

BOXES = (3, 9, 27)
"""Sides of the neighbourhoods, in places of the input."""

FAINT = 1e-3
"""Part of the usual activity below which nothing is told apart."""

COLUMNS = len(BOXES) + 1 + 2 + 4
"""How many numbers describe a place."""


@final
class Activity(nn.Module):
    """Numbers that describe each place of an input: logarithms of local energies, and the level.

    1. the energy of the estimate's differences between neighbours, averaged over boxes and over everything;
    2. the level of the estimate, and its square: bright and dark places are often flat;
    3. the energy of the features at this place and everywhere, and how much they vary around it and
       everywhere.

    Inputs without places are described by how far the estimate is from the usual one, and by the energy of
    their features.

    Args:
        input_shape, tap_shape: event shapes, without the batch.

    Cost: a few separable means over each input; no channel is looked at more than once.
    """

    usual: Tensor  # (C,), mean of the estimates
    spread: Tensor  # (), their standard deviation
    detail: Tensor  # (), usual energy of differences
    power: Tensor  # (C',), usual energy of each channel of features

    def __init__(self, input_shape: Sequence[int], tap_shape: Sequence[int]) -> None:
        super().__init__()
        self.grid = Grid.between(input_shape, tap_shape)
        self.register_buffer("usual", torch.zeros(self.grid.input_map[0]))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("detail", torch.ones(()))
        self.register_buffer("power", torch.ones(self.grid.tap_map[0]))

    def settle(self, estimate: Tensor, y: Tensor) -> None:
        """Take what is usual from some estimates ``(N, *input)`` and features ``(N, *tap)``."""
        x, y = self._maps(estimate, y)
        tiny = torch.finfo(x.dtype).tiny
        self.usual.copy_(x.mean((0, 2, 3)))
        self.spread.copy_(_centred(x, self.usual).square().mean().sqrt().clamp_min(tiny))
        self.detail.copy_(self._differences(x).mean().clamp_min(tiny))
        power = y.square().mean((0, 2, 3))
        self.power.copy_(power.clamp_min(power.mean().clamp_min(tiny) * FAINT))

    def forward(self, estimate: Tensor, y: Tensor) -> Tensor:
        """The numbers ``(N, COLUMNS, H, W)`` for estimates ``(N, *input)`` from features ``(N, *tap)``."""
        x, y = self._maps(estimate, y)
        parts = [*self._details(x), *self._levels(x), *self._features(y, x)]
        return torch.cat([part.expand(len(x), 1, *x.shape[2:]) for part in parts], 1)

    def _maps(self, estimate: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return estimate.reshape(-1, *self.grid.input_map), y.reshape(-1, *self.grid.tap_map)

    def _differences(self, x: Tensor) -> Tensor:  # (N, 1, H, W)
        if x.shape[2] * x.shape[3] == 1:
            return _centred(x, self.usual).square().mean(1, keepdim=True)
        return sum(_steps(x, axis) for axis in (2, 3) if x.shape[axis] > 1)  # type: ignore[return-value]

    def _details(self, x: Tensor) -> list[Tensor]:
        energy = self._differences(x) / self.detail.to(x)
        means = [box_mean(energy, box) for box in BOXES]
        return [_logarithm(mean) for mean in (*means, energy.mean((2, 3), keepdim=True))]

    def _levels(self, x: Tensor) -> list[Tensor]:
        level = _centred(x, self.usual).mean(1, keepdim=True) / self.spread.to(x)
        level = box_mean(level, BOXES[0]).clamp(-3, 3)
        return [level, level.square()]

    def _features(self, y: Tensor, x: Tensor) -> list[Tensor]:
        scaled = y / self.power.to(y).sqrt()[:, None, None]
        energy = scaled.square().mean(1, keepdim=True)  # (N, 1, h, w)
        change = sum((_steps(scaled, axis) for axis in (2, 3) if y.shape[axis] > 1), torch.zeros_like(energy))
        local = [self._spread_out(_logarithm(box_mean(part, BOXES[0])), x) for part in (energy, change)]
        return [*local, *(_logarithm(part.mean((2, 3), keepdim=True)) for part in (energy, change))]

    @staticmethod
    def _spread_out(part: Tensor, x: Tensor) -> Tensor:
        """A number for each position as one for each place of the input."""
        size = (x.shape[2], x.shape[3])
        return part if part.shape[2:] == size else functional.interpolate(part, size, mode="nearest")


def box_mean(x: Tensor, size: int) -> Tensor:
    """Means over boxes of an odd size around each place of maps ``(N, C, H, W)``; smaller at the borders."""
    for axis, kernel in ((2, (size, 1)), (3, (1, size))):
        if x.shape[axis] > 1:
            half = tuple(k // 2 for k in kernel)
            x = functional.avg_pool2d(x, kernel, stride=1, padding=half, count_include_pad=False)
    return x


def _centred(x: Tensor, usual: Tensor) -> Tensor:
    return x - usual.to(x)[:, None, None]


def _logarithm(energy: Tensor) -> Tensor:
    return torch.log(energy + FAINT)


def _steps(x: Tensor, axis: int) -> Tensor:
    """Mean square difference to the next place along an axis, over channels, ``(N, 1, H, W)``."""
    step = x.diff(dim=axis).square().mean(1, keepdim=True)
    last = step.narrow(axis, step.shape[axis] - 1, 1)
    return torch.cat([step, last], axis)
