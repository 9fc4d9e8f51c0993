"""A convolutional network that paints a picture from any tap of another network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.decoders.blueprint import Blueprint, map_channels, map_size
from preimage.errors import ShapeError, UnknownTapError

Size = tuple[int, int]


@final
class Residual(nn.Module):
    """``x + conv(relu(conv(x)))``, maps ``(N, C, h, w)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 3, padding=1)
        self.outer = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.inner.weight, nonlinearity="relu")
        nn.init.zeros_(self.outer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.outer(functional.relu(self.inner(x)))


@final
class Adapter(nn.Module):
    """From standardised features of one tap ``(N, C, h, w)`` to the channels of its level."""

    centre: Tensor  # (C, 1, 1)
    scale: Tensor  # (C, 1, 1), positive

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, width, stride, stride)
        self.register_buffer("centre", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))

    def standardised(self, y: Tensor) -> Tensor:
        """Features of mean 0 and deviation 1 in every channel."""
        return (y - self.centre) / self.scale

    def forward(self, standardised: Tensor) -> Tensor:
        """Maps ``(N, width, h, w)``."""
        return self.mix(standardised)


@final
class Sketch(nn.Module):
    """The linear estimate of a small picture, from standardised maps ``(N, C, h, w)``.

    A window of maps gives a block of pixels; a single position, such as pooled features or logits, gives a
    small picture of ``place`` rows and columns.
    """

    def __init__(self, channels: int, window: int, block: int, place: Size, colours: int) -> None:
        super().__init__()
        self.block, self.place = block, place
        pixels = block**2 if block else place[0] * place[1]
        self.estimate = nn.Conv2d(channels, colours * pixels, window, padding=window // 2)
        nn.init.zeros_(self.estimate.weight)
        nn.init.zeros_(cast("Tensor", self.estimate.bias))

    def forward(self, standardised: Tensor) -> Tensor:
        """The small picture."""
        found = self.estimate(standardised)
        if self.block:
            return functional.pixel_shuffle(found, self.block)
        return found.flatten(1).unflatten(1, (-1, *self.place))


@final
class DecoderNetwork(nn.Module):
    r"""One network for all taps: what enters at a tap's own size climbs through the levels above it.

    At level k, of ``1 / 2^k`` of the picture's size, a few residual blocks work on maps; a linear map and a
    pixel shuffle lead to level k - 1; the level at which a tap's journey ends paints ``(C, H, W)``. Trained
    to the least squared error it estimates the mean of all pictures with these features,
    ``E[x | f(x) = y]``, as the closed-form decoder does, but is not limited to linear functions of y.

    References: Dosovitskiy and Brox 2016, Inverting visual representations with convolutional networks
    (https://arxiv.org/abs/1506.02753); Shi and others 2016, pixel shuffle (https://arxiv.org/abs/1609.05158).

    Args:
        blueprint: taps and sizes.

    Cost: for 224 x 224 pictures and the default widths 0.4 to 1.1 thousand million multiplications a picture.

    Example:
        >>> taps = {"early": (16, 8, 8), "logits": (10,)}
        >>> plan = Blueprint((3, 32, 32), taps, widths=(8, 8, 8), blocks=(1, 1, 1))
        >>> decoder = DecoderNetwork(plan)
        >>> decoder(torch.zeros(2, 10), "logits").shape
        torch.Size([2, 3, 32, 32])
    """

    average: Tensor  # (C, 1, 1), of the inputs
    spread: Tensor  # (C, 1, 1)
    gains: Tensor  # (T,), the share of what is painted that is added to a tap's sketch

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint = blueprint
        widths, channels = blueprint.widths, blueprint.input_shape[0]
        self.labels = {label: str(i) for i, label in enumerate(blueprint.taps)}  # a key may hold no dots
        self.adapters = nn.ModuleDict(
            {
                self.labels[label]: Adapter(
                    map_channels(shape), widths[blueprint.level(label) - 1], blueprint.stride(label)
                )
                for label, shape in blueprint.taps.items()
            }
        )
        place = self._size(blueprint.levels)
        self.sketches = nn.ModuleDict(
            {
                self.labels[label]: Sketch(map_channels(shape), *blueprint.sketch(label), place, channels)
                for label, shape in blueprint.taps.items()
            }
        )
        self.levels = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(widths, blueprint.blocks, strict=True)
        )
        self.climbs = nn.ModuleList(nn.Conv2d(below, 4 * above, 1) for above, below in pairwise(widths))
        paints = [nn.Conv2d(width, 4 * channels, 3, padding=1) for width in widths]
        for paint in paints:
            nn.init.zeros_(paint.weight)  # so that training starts from the sketch
            nn.init.zeros_(cast("Tensor", paint.bias))
        self.paints = nn.ModuleList(paints)
        self.place = nn.Parameter(0.1 * torch.randn(widths[-1], *place))
        self.register_buffer("average", torch.zeros(channels, 1, 1))
        self.register_buffer("spread", torch.ones(channels, 1, 1))
        self.register_buffer("gains", torch.ones(len(blueprint.taps)))

    def forward(self, y: Tensor, tap: str, size: Size | None = None) -> Tensor:
        """The estimate ``(N, C, H, W)`` from features ``(N, *tap)``.

        Args:
            y: features; of another spatial size too, where ``size`` says that of the picture.
            tap: label.
            size: rows and columns of the picture; those of the network's input by default.

        Raises:
            UnknownTapError: the decoder was not made for the tap.
            ShapeError: y does not have the tap's shape.
        """
        sketch, painted = self.parts(y, tap, size)
        return (sketch + self.gains[int(self.labels[tap])] * painted) * self.spread + self.average

    def parts(self, y: Tensor, tap: str, size: Size | None = None) -> tuple[Tensor, Tensor]:
        """The linear sketch and what the levels add to it, both in units of the pictures' deviation."""
        self._check(tap)
        size = size or self.blueprint.input_shape[1:]
        maps = self.standardised(y, tap)
        return _enlarged(self.sketches[self.labels[tap]](maps), size), self._painted(maps, tap, size)

    def standardised(self, y: Tensor, tap: str) -> Tensor:
        """Features ``(N, *tap)`` as maps ``(N, C, h, w)`` of mean 0 and deviation 1."""
        adapter = self.adapters[self.labels[tap]]
        return cast("Adapter", adapter).standardised(self.laid_out(y, tap))

    def _painted(self, maps: Tensor, tap: str, size: Size) -> Tensor:
        """What the levels add to the sketch."""
        level, leave = self.blueprint.level(tap), self.blueprint.exit(tap)
        h = _resized(self.adapters[self.labels[tap]](maps), self._size(level, size))
        if level == self.blueprint.levels:
            h = h + _resized(self.place[None], h.shape[2:])
        h = self.levels[level - 1](h)
        for k in range(level - 1, leave - 1, -1):
            up = functional.pixel_shuffle(self.climbs[k - 1](h), 2)
            h = self.levels[k - 1](_cut(up, self._size(k, size)))
        x = functional.pixel_shuffle(self.paints[leave - 1](h), 2)
        return _enlarged(_cut(x, self._size(leave - 1, size)), size)

    def _check(self, tap: str) -> None:
        if tap not in self.labels:
            raise UnknownTapError(
                f"no picture decoder for tap {tap!r}; it was trained for {list(self.labels)}"
            )

    def _size(self, level: int, size: Size | None = None) -> Size:
        height, width = size or self.blueprint.input_shape[1:]
        return -(-height // 2**level), -(-width // 2**level)

    def laid_out(self, y: Tensor, tap: str) -> Tensor:
        """Features as maps ``(N, C, h, w)``; tokens beyond a square, such as a class token, go."""
        shape = self.blueprint.taps[tap]
        channels = map_channels(shape)
        kept = y.shape[1] if len(shape) == 3 else y.shape[-1] if len(shape) == 2 else y[0].numel()
        if y.dim() != len(shape) + 1 or kept != channels:
            raise ShapeError(f"tap {tap!r} has features (N, *{tuple(shape)}); got {tuple(y.shape)}")
        if len(shape) == 3:
            return y
        rows, columns = map_size(shape)
        tokens = y if len(shape) == 2 else y.reshape(len(y), 1, -1)  # (N, L, C)
        return tokens[:, tokens.shape[1] - rows * columns :].mT.unflatten(2, (rows, columns))


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(x.shape[2:]) == tuple(size):
        return x
    if tuple(x.shape[2:]) == (1, 1):
        return x.expand(-1, -1, *size)
    return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=False)


def _enlarged(x: Tensor, size: Size) -> Tensor:
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return functional.interpolate(x, size, mode="bicubic", align_corners=False)


def _cut(x: Tensor, size: Size) -> Tensor:
    return x[:, :, : size[0], : size[1]]
