"""What all libraries are wrapped in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
Builder = Callable[[Shape, int, int], nn.Module]
"""Called with the shape of a row, the number of transforms and the width of the networks."""


@dataclass(frozen=True)
class Family:
    """A way in which a library builds a flow.

    Args:
        build: makes the flow; calling it gives the log-density ``(N,)``.
        transforms: numbers of transforms that are tried.
        rank: number of dimensions of the rows that it is for: 1 for vectors, 3 for pictures, which families
            for vectors get flattened.
        flattened: numbers of transforms that are tried on flattened pictures, where each has many parameters.
    """

    build: Builder
    transforms: tuple[int, ...]
    rank: int = 1
    flattened: tuple[int, ...] = ()

    def tries(self, shape: Shape) -> tuple[int, ...]:
        """The numbers of transforms for rows of a shape; none where it is not for them."""
        if self.rank == len(shape):
            return self.transforms
        return self.flattened if self.rank == 1 else ()


class Flattened(nn.Module):
    """A flow over vectors that takes pictures."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor) -> Tensor:
        """The log-density of the pixels in raster order."""
        return self.flow(x.flatten(1))


class LogProb(nn.Module):
    """A flow whose log-density is a method."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor) -> Tensor:
        """What the method gives."""
        return self.flow.log_prob(x)  # pyright: ignore[reportCallIssue]


def normal_log_prob(z: Tensor) -> Tensor:
    """Of the standard normal distribution, ``(N,)``."""
    return torch.distributions.Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1)


def build(family: Family, shape: Shape, transforms: int, width: int) -> nn.Module:
    """The flow for rows of a shape."""
    if family.rank == 1 and len(shape) > 1:
        return Flattened(family.build((prod(shape),), transforms, width))
    return family.build(shape, transforms, width)


def parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def matching_width(family: Family, shape: Shape, transforms: int, target: int) -> int | None:
    """The width whose flow has the number of parameters that is closest to the target.

    None if that is more than 5 % off.
    """
    sizes: dict[int, int] = {}

    def size(width: int) -> int:
        if width not in sizes:
            sizes[width] = parameters(build(family, shape, transforms, width))
        return sizes[width]

    low, high = 1, 2
    while size(high) < target and high < 4096:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < target else (low, middle)
    best = min((low, high), key=lambda width: abs(size(width) - target))
    return best if abs(size(best) - target) <= 0.05 * target else None
