"""Max pooling: the largest input that pools to y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.recorded import pooled_axes
from preimage.inverse.registry import Site, Solved, register_inverse


@register_inverse("max_pool1d", "max_pool2d", "max_pool3d", guarantee=Guarantee.RIGHT)
def max_pool(site: Site, y: Tensor) -> Solved:
    """x at p = min of y over all windows that contain p.

    This is the erosion that is adjoint to the dilation "max": f(g(y)) = y for every y that is a pooled map,
    and no larger x has that property (Serra, 1982, Image Analysis and Mathematical Morphology). Positions
    that no window reads get the smallest value.
    """
    x = largest(site, y)
    return Solved(x, exact=min(1.0, y[0].numel() / max(1, x[0].numel())))


def largest(site: Site, y: Tensor) -> Tensor:
    """The largest x that pools to y, ``(N, *event)``; an upper bound of every other one."""
    axes = _axes(site, y)
    x = _erode(y.flatten(-len(axes)), _windows(axes), prod(axis.size for axis in axes))
    return x.reshape(y.shape[0], *site.shape)


def seen(site: Site, y: Tensor) -> Tensor:
    """Which positions any window reads, bool of the shape of the pooled axes of x."""
    axes = _axes(site, y)
    flags = torch.zeros(prod(axis.size for axis in axes), dtype=torch.bool, device=y.device)
    windows = _windows(axes)
    flags[windows[windows >= 0]] = True
    return flags.view([axis.size for axis in axes])


@dataclass(frozen=True)
class _Axis:
    """One spatial axis of a pooling operation."""

    size: int
    cells: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    def places(self) -> Tensor:
        """Input positions in each window, -1 outside, ``(cells, kernel)``."""
        first = torch.arange(self.cells) * self.stride - self.padding
        places = first[:, None] + torch.arange(self.kernel) * self.dilation
        return torch.where((places >= 0) & (places < self.size), places, -1)


def _axes(site: Site, y: Tensor) -> list[_Axis]:
    dimensions = pooled_axes(site.operation)
    kernel = site.operand(1, "kernel_size")
    stride = site.operand(2, "stride", None) or kernel
    settings = (kernel, stride, site.operand(3, "padding", 0), site.operand(4, "dilation", 1))
    per_axis = zip(*(_spread(value, dimensions) for value in settings), strict=True)
    sizes = zip(site.shape[-dimensions:], y.shape[-dimensions:], strict=True)
    return [_Axis(*size, *axis) for size, axis in zip(sizes, per_axis, strict=True)]


def _spread(value: int | Sequence[int], dimensions: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * dimensions if len(values) == 1 else values


def _windows(axes: list[_Axis]) -> Tensor:
    """Flat input positions in each window, -1 where it looks outside, ``(windows, kernel positions)``."""
    flat = axes[0].places()
    for axis in axes[1:]:
        rows, columns = flat[:, None, :, None], axis.places()[None, :, None, :]
        joined = torch.where((rows < 0) | (columns < 0), -1, rows * axis.size + columns)
        flat = joined.reshape(joined.shape[0] * joined.shape[1], -1)
    return flat


def _erode(y: Tensor, windows: Tensor, positions: int) -> Tensor:
    """Minimum over the windows that contain each position; y is ``(..., windows)``."""
    values = y.unsqueeze(-1).expand(*y.shape, windows.shape[1]).flatten(-2)
    target = torch.where(windows < 0, positions, windows).flatten().to(y.device).expand_as(values)
    x = y.new_full((*y.shape[:-1], positions + 1), float("inf")).scatter_reduce(-1, target, values, "amin")
    x = x[..., :positions]
    return torch.where(x.isinf(), y.amin(-1, keepdim=True), x)
