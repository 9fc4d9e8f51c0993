"""Which positions every window of a pooling reads."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from preimage.inverse.planning.recorded import pooled_axes
from preimage.inverse.registry import Site


class Axis(abc.ABC):
    """One axis of a pooling operation."""

    size: int

    @abc.abstractmethod
    def places(self) -> Tensor:
        """Input positions in each window, -1 outside, ``(cells, kernel)``."""


@dataclass(frozen=True)
class StridedAxis(Axis):
    """Windows of one size at even distances.

    Example:
        >>> StridedAxis(4, 2, kernel=2, stride=2, padding=0, dilation=1).places().tolist()
        [[0, 1], [2, 3]]
    """

    size: int
    cells: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    def places(self) -> Tensor:
        """Multiples of the stride, then of the dilation."""
        first = torch.arange(self.cells) * self.stride - self.padding
        places = first[:, None] + torch.arange(self.kernel) * self.dilation
        return torch.where((places >= 0) & (places < self.size), places, -1)


@dataclass(frozen=True)
class AdaptiveAxis(Axis):
    """As many windows as are wanted, which cover the axis; neighbours may share a position.

    Example:
        >>> AdaptiveAxis(5, 2).places().tolist()
        [[0, 1, 2], [2, 3, 4]]
    """

    size: int
    cells: int

    def places(self) -> Tensor:
        """From the last start that is not above i size / cells, to the first end not below (i + 1)."""
        cell = torch.arange(self.cells)
        first, end = cell * self.size // self.cells, -(-(cell + 1) * self.size // self.cells)
        longest = int((end - first).max()) if self.cells else 0
        places = first[:, None] + torch.arange(longest)
        return torch.where(places < end[:, None], places, -1)


def axes_of(site: Site, sizes: Sequence[int]) -> list[Axis]:
    """The pooled axes of an operation, whose result has the given sizes along them."""
    pairs = list(zip(site.shape[-len(sizes) :], sizes, strict=True))
    if site.operation.startswith("adaptive"):
        return [AdaptiveAxis(*pair) for pair in pairs]
    kernel = site.operand(1, "kernel_size")
    stride = site.operand(2, "stride", None) or kernel
    settings = (kernel, stride, site.operand(3, "padding", 0), site.operand(4, "dilation", 1))
    per_axis = zip(*(_spread(value, len(sizes)) for value in settings), strict=True)
    return [StridedAxis(*pair, *axis) for pair, axis in zip(pairs, per_axis, strict=True)]


def pooled_sizes(site: Site, y: Tensor) -> tuple[int, ...]:
    """Sizes of a pooled value along the pooled axes."""
    return tuple(y.shape[-pooled_axes(site.operation) :])


def positions(axes: Sequence[Axis]) -> int:
    """Input positions over all pooled axes."""
    return prod(axis.size for axis in axes)


def windows_of(axes: Sequence[Axis]) -> Tensor:
    """Flat input positions in each window, -1 where it looks outside, ``(windows, kernel positions)``."""
    flat = axes[0].places()
    for axis in axes[1:]:
        rows, columns = flat[:, None, :, None], axis.places()[None, :, None, :]
        joined = torch.where((rows < 0) | (columns < 0), -1, rows * axis.size + columns)
        flat = joined.reshape(joined.shape[0] * joined.shape[1], -1)
    return flat


def _spread(value: int | Sequence[int], dimensions: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * dimensions if len(values) == 1 else values
