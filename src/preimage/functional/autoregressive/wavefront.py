"""Back substitution for convolutions that look only at earlier positions, in few steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from preimage.functional.signals.convolve import zero_padded_convolution

BLOCK = 128
"""Unknowns of a signal that one dense triangular solve finds: about the fastest on one core of 64 to 256."""


def solve_causal(y: Tensor, weight: Tensor) -> Tensor:
    r"""Solve :math:`x + W * x = y` for a kernel W whose taps all lie before the position in raster order.

    For pictures all positions on a slanted line depend on earlier lines only, so a line is one step:
    H (1 + r) + W steps instead of H W, r the reach of the kernel to the right. For signals blocks of
    positions are found by one triangular solve each. Both are ordinary back substitution in another order:
    exact.

    Reference: Lamport (1974), The parallel execution of DO loops, https://doi.org/10.1145/360827.360844;
    Golub, Van Loan (2013), Matrix Computations, section 3.1, https://doi.org/10.56021/9781421407944

    Args:
        y: tensor ``(N, C, *sizes)``.
        weight: kernel ``(C, C, *kernel_sizes)``, its place ``size // 2`` on the position itself, zero there
            and behind; zeros beyond the borders of x.

    Returns:
        x, of the shape of y.

    Cost: that of the convolution, one to three times.

    Example:
        >>> y = torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> solve_causal(y, torch.tensor([[[1.0, 0.0, 0.0]]]))
        tensor([[[1., 1., 2.]]])
    """
    return _solve_blocks(y, weight) if y.dim() == 3 else _solve_waves(y, weight)


def _solve_blocks(y: Tensor, weight: Tensor) -> Tensor:
    """Signals ``(N, C, T)``, a block of positions at a time."""
    channels, past = y.shape[1], weight[..., : weight.shape[2] // 2]  # (C, C, r), the furthest tap first
    reach = past.shape[2]
    if not reach or not y.shape[2]:
        return y
    size = min(y.shape[2], max(1, BLOCK // channels))
    dense = _block_matrix(weight, size)
    known, found = y.new_zeros(y.shape[0], channels, reach), []
    for block in y.split(size, dim=2):
        width = block.shape[2]
        seen = functional.conv1d(functional.pad(known, (0, width - 1)), past)  # what came before the block
        rows = (block - seen).mT.flatten(1)  # (N, width * C)
        corner = dense[: width * channels, : width * channels]
        x = torch.linalg.solve_triangular(corner, rows, upper=True, left=False, unitriangular=True)
        found.append(x.unflatten(1, (width, channels)).mT)
        known = torch.cat([known, found[-1]], dim=2)[..., -reach:]
    return torch.cat(found, dim=2)


def _block_matrix(weight: Tensor, size: int) -> Tensor:
    """The matrix M of I + W, rows ``x @ M`` position by position: unit upper triangular ``(T C, T C)``."""
    channels = weight.shape[0]
    unit = torch.eye(size * channels, dtype=weight.dtype, device=weight.device)
    images = zero_padded_convolution(unit.unflatten(1, (size, channels)).mT, weight)  # (T C, C, T)
    return unit + images.mT.flatten(1)


def _solve_waves(y: Tensor, weight: Tensor) -> Tensor:
    """Pictures ``(N, C, *lead, W)``, a slanted line of positions at a time."""
    sizes, kernel = y.shape[2:], weight.shape[2:]
    taps = _taps_before(kernel)
    if not math.prod(sizes) or not taps:
        return y
    strides = _strides(kernel)
    there, valid, back = _line_places(sizes, strides, y.device)
    places = torch.cat(
        [y.flatten(2), y.new_zeros(*y.shape[:2], 1)], dim=2
    ).mT  # the last one for those outside
    lines = places.index_select(1, there).unflatten(1, (-1, *sizes[:-1]))  # (N, T, *lead, C)
    matrix = _tap_matrix(weight, taps)
    margins = _margins(kernel)
    blank = functional.pad(torch.zeros_like(lines[:, 0]), margins)
    back_by = [_lines_back(tap, strides) for tap in taps]
    windows = [_window(tap, kernel, sizes) for tap in taps]
    known, found = [blank] * max(back_by), []
    for line, inside in zip(lines.unbind(1), valid.unsqueeze(-1), strict=True):
        seen = [known[-steps][window] for steps, window in zip(back_by, windows, strict=True)]
        sums = torch.cat(seen, dim=-1) @ matrix  # (N, *lead, C)
        found.append(torch.where(inside, line - sums, 0.0))
        known = [*known[1:], functional.pad(found[-1], margins)]
    return torch.stack(found, dim=1).flatten(1, -2).index_select(1, back).mT.unflatten(2, sizes)


def _taps_before(kernel: Sequence[int]) -> list[tuple[int, ...]]:
    """The offsets of all taps before the position in raster order."""
    places = itertools.product(*[range(-(size // 2), size - size // 2) for size in kernel])
    return [offset for offset in places if offset < (0,) * len(kernel)]


def _strides(kernel: Sequence[int]) -> list[int]:
    """Steps of the line number along each dimension, such that every tap before lies on an earlier line."""
    right = [size - size // 2 for size in kernel]  # one more than the reach
    return [math.prod(right[dim + 1 :]) for dim in range(len(right))]


def _lines_back(tap: Sequence[int], strides: Sequence[int]) -> int:
    return -sum(stride * offset for stride, offset in zip(strides, tap, strict=True))


def _tap_matrix(weight: Tensor, taps: Sequence[Sequence[int]]) -> Tensor:
    """The taps one below the other, for rows ``x @ matrix``: ``(taps * C, C)``."""
    centre = [size // 2 for size in weight.shape[2:]]
    places = [tuple(c + offset for c, offset in zip(centre, tap, strict=True)) for tap in taps]
    return torch.cat([weight[(slice(None), slice(None), *place)].mT for place in places])


def _margins(kernel: Sequence[int]) -> list[int]:
    """Zeros to add to a line ``(N, *lead, C)``, the last dimension first; the first one looks only back."""
    pairs = [(kernel[0] // 2, 0), *[(size // 2, size - 1 - size // 2) for size in kernel[1:-1]]]
    return [0, 0, *itertools.chain.from_iterable(reversed(pairs))]


def _window(tap: Sequence[int], kernel: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Where on a line with margins ``(N, *lead, C)`` lies what a tap sees."""
    starts = [size // 2 + offset for size, offset in zip(kernel[:-1], tap, strict=False)]
    return (slice(None), *[slice(start, start + size) for start, size in zip(starts, sizes, strict=False)])


def _line_places(
    sizes: Sequence[int], strides: Sequence[int], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Where every entry of the lines lies in the picture, which exist, and the way back."""
    *lead, last = sizes
    grid = torch.meshgrid(*[torch.arange(size, device=device) for size in lead], indexing="ij")
    start = torch.stack([s * g for s, g in zip(strides[:-1], grid, strict=True)]).sum(0)  # (*lead)
    count = last + sum(s * (size - 1) for s, size in zip(strides[:-1], lead, strict=True))
    column = torch.arange(count, device=device).view(-1, *[1] * len(lead)) - start  # (T, *lead)
    valid = (column >= 0) & (column < last)
    row = torch.arange(math.prod(lead), device=device).view(*lead)
    there = torch.where(valid, row * last + column, math.prod(sizes))
    line = torch.arange(last, device=device) + start[..., None]  # (*lead, W)
    back = line * math.prod(lead) + row[..., None]
    return there.flatten(), valid, back.flatten()
