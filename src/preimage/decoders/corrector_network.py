"""A convolutional network that mends a painted picture by what its features still miss."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.decoders.blueprint import Blueprint, map_channels
from preimage.decoders.network import Adapter, Residual
from preimage.errors import UnknownTapError

WIDTHS = (32, 64, 96, 128)  # channels at a half, a quarter, ... of the picture's size
BLOCKS = (1, 2, 3, 3)  # residual blocks on the way back up; there is one on the way down
PICTURES = 3  # the picture so far, what the decoder paints of the misfit, what the Jacobian makes of it


class Misfit(NamedTuple):
    """A picture on the way, and what it still misses: all that the next correction is made from."""

    x: Tensor
    """The picture so far, ``(N, C, H, W)``."""
    echo: Tensor
    """What a decoder g paints of the misfit, ``g(y) - g(f(x))``, ``(N, C, H, W)``."""
    gradient: Tensor
    """The weighed misfit through the transposed Jacobian, ``(N, C, H, W)``."""
    wanted: Tensor
    """The features wanted, as maps ``(N, c, h, w)``."""
    missing: Tensor
    """These less those of x, ``(N, c, h, w)``."""


@final
class Entry(nn.Module):
    """Where the features of one tap enter, and the sizes of what comes of their misfit."""

    weights: Tensor  # (c, c), of misfits before they go through the transposed Jacobian
    sizes: Tensor  # (2,), usual deviations of echo and gradient

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.wanted = Adapter(channels, width, stride)
        self.missing = Adapter(channels, width, stride)
        self.register_buffer("weights", torch.eye(channels))
        self.register_buffer("sizes", torch.ones(2))

    def forward(self, wanted: Tensor, missing: Tensor) -> Tensor:
        """Maps ``(N, width, h, w)`` from features and misfits ``(N, c, h, w)``."""
        return self.wanted(self.wanted.standardised(wanted)) + self.missing(
            self.missing.standardised(missing)
        )


@final
class CorrectorNetwork(nn.Module):
    r"""One network for all taps: from a picture and its misfit to a correction of the picture.

    Three pictures (the one so far, the echo of the misfit in the decoder, and its gradient) go down level by
    level to that of the tap, where features and misfit join them, and up again, with the maps of the way down
    added on the way up. Trained to the least squared error and repeated, it is a learnt iteration: it takes
    the place of the steps of a search, and knows at which places of which pictures they lead astray.

    References: Putzky and Welling 2017, Recurrent inference machines for solving inverse problems
    (https://arxiv.org/abs/1706.04008); Adler and Öktem 2017, Solving ill-posed inverse problems using
    iterative deep neural networks (https://arxiv.org/abs/1704.04058); Ronneberger, Fischer and Brox 2015,
    U-Net (https://arxiv.org/abs/1505.04597).

    Args:
        blueprint: taps, and widths and residual blocks of the levels, finest first; ``climb`` is not used.

    Cost: for 224 x 224 pictures, the default widths and a tap at a quarter of the picture's size, 1.4
    thousand million multiplications a picture.

    Example:
        >>> plan = Blueprint((3, 32, 32), {"early": (16, 8, 8)}, widths=(8, 8), blocks=(1, 1))
        >>> network, x, y = CorrectorNetwork(plan), torch.rand(2, 3, 32, 32), torch.rand(2, 16, 8, 8)
        >>> network(Misfit(x, x, x, y, y), "early").shape
        torch.Size([2, 3, 32, 32])
    """

    average: Tensor  # (C, 1, 1), of the inputs
    spread: Tensor  # (C, 1, 1)
    gains: Tensor  # (T,), the share of a correction that is made

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint, widths = blueprint, blueprint.widths
        channels = blueprint.input_shape[0]
        self.labels = {label: str(i) for i, label in enumerate(blueprint.taps)}  # a key may hold no dots
        self.entries = nn.ModuleDict(
            {
                self.labels[label]: Entry(
                    map_channels(shape), widths[blueprint.level(label) - 1], blueprint.stride(label)
                )
                for label, shape in blueprint.taps.items()
            }
        )
        self.stem = nn.Conv2d(4 * PICTURES * channels, widths[0], 3, padding=1)
        self.descents = nn.ModuleList(nn.Conv2d(4 * above, below, 1) for above, below in pairwise(widths))
        self.climbs = nn.ModuleList(nn.Conv2d(below, 4 * above, 1) for above, below in pairwise(widths))
        self.down = nn.ModuleList(Residual(width) for width in widths)
        self.up = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(widths, blueprint.blocks, strict=True)
        )
        self.paint = nn.Conv2d(widths[0], 4 * channels, 3, padding=1)
        nn.init.zeros_(self.paint.weight)  # so that training starts from the painted picture
        nn.init.zeros_(cast("Tensor", self.paint.bias))
        self.register_buffer("average", torch.zeros(channels, 1, 1))
        self.register_buffer("spread", torch.ones(channels, 1, 1))
        self.register_buffer("gains", torch.ones(len(blueprint.taps)))

    def entry(self, tap: str) -> Entry:
        """Where a tap enters.

        Raises:
            UnknownTapError: the corrector was not made for the tap.
        """
        if tap not in self.labels:
            raise UnknownTapError(f"no corrector for tap {tap!r}; it was trained for {list(self.labels)}")
        return cast("Entry", self.entries[self.labels[tap]])

    def forward(self, misfit: Misfit, tap: str) -> Tensor:
        """The correction ``(N, C, H, W)``, to be added to the picture.

        Raises:
            UnknownTapError: the corrector was not made for the tap.
        """
        entry, level = self.entry(tap), self.blueprint.level(tap)
        echo, gradient = entry.sizes
        pictures = [(misfit.x - self.average) / self.spread, misfit.echo / echo, misfit.gradient / gradient]
        h = self.stem(functional.pixel_unshuffle(_filled(torch.cat(pictures, 1), 2**level), 2))
        passed = []
        for k in range(level - 1):
            passed.append(self.down[k](h))
            h = self.descents[k](functional.pixel_unshuffle(passed[-1], 2))
        joined = h + _resized(entry(misfit.wanted, misfit.missing), h.shape[2:])
        h = self.up[level - 1](self.down[level - 1](joined))
        for k in range(level - 2, -1, -1):
            h = self.up[k](passed[k] + functional.pixel_shuffle(self.climbs[k](h), 2))
        rows, columns = misfit.x.shape[2:]
        found = functional.pixel_shuffle(self.paint(h), 2)[:, :, :rows, :columns]
        return self.gains[int(self.labels[tap])] * found * self.spread


def _filled(x: Tensor, multiple: int) -> Tensor:
    """Pictures whose sides are multiples, the last rows and columns repeated."""
    rows, columns = (-side % multiple for side in x.shape[2:])
    return functional.pad(x, (0, columns, 0, rows), mode="replicate") if rows or columns else x


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=False)
