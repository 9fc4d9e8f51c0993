"""Back substitution for convolutions that look only at earlier positions, in few steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from preimage.functional.convolve import CONVOLUTIONS, zero_padded_convolution

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
    lead, sizes = weight.dim() - 3, y.shape[2:]
    if not math.prod(sizes):
        return y
    strides = _strides(weight.shape[2:])
    kernel = _slanted_kernel(weight, strides)  # (C, C, depth, *lead_kernel_sizes)
    depth, margins = kernel.shape[2], _margins(kernel.shape[3:], weight.shape[2:])
    there, valid, back = _line_places(sizes, strides, y.device)
    lines = torch.cat([y.flatten(2), y.new_zeros(*y.shape[:2], 1)], dim=2)  # the last one for places outside
    lines = lines.index_select(2, there).unflatten(2, (-1, *sizes[:-1]))  # (N, C, T, *lead)
    known = y.new_zeros(y.shape[0], y.shape[1], depth, *sizes[:-1])
    found = []
    for line, inside in zip(lines.unbind(2), valid, strict=True):
        sums = CONVOLUTIONS[1 + lead](functional.pad(known, margins), kernel)[:, :, 0]  # (N, C, *lead)
        x = torch.where(inside, line - sums, torch.zeros_like(line))
        found.append(x)
        known = torch.cat([known[:, :, 1:], x[:, :, None]], dim=2)
    return torch.stack(found, dim=2).flatten(2).index_select(2, back).unflatten(2, sizes)


def _strides(kernel_sizes: Sequence[int]) -> list[int]:
    """Steps of the line number along each dimension, such that every tap before lies on an earlier line."""
    right = [size - size // 2 for size in kernel_sizes]  # one more than the reach
    return [math.prod(right[dim + 1 :]) for dim in range(len(right))]


def _slanted_kernel(weight: Tensor, strides: Sequence[int]) -> Tensor:
    """The taps by how many lines back they look, the furthest first, and by their leading places."""
    sizes = weight.shape[2:]
    offsets = [
        [place - size // 2 for place, size in zip(places, sizes, strict=True)]
        for places in itertools.product(*map(range, sizes))
    ]
    before = [number for number, offset in enumerate(offsets) if offset < [0] * len(sizes)]
    lines = [sum(s * o for s, o in zip(strides, offsets[number], strict=True)) for number in before]
    depth = max([1, *(-line for line in lines)])
    shape = [depth, sizes[0] // 2 + 1, *sizes[1:-1]]
    places = [
        _flat_place(
            [depth + line, *(o + k // 2 for o, k in zip(offsets[number], sizes[:-1], strict=False))], shape
        )
        for number, line in zip(before, lines, strict=True)
    ]
    empty = weight.new_zeros(*weight.shape[:2], math.prod(shape))
    index = torch.tensor(places, dtype=torch.long, device=weight.device)
    return empty.index_copy(2, index, weight.flatten(2)[..., before]).unflatten(2, shape)


def _margins(places: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Zeros to add before and behind the leading dimensions, the last one first."""
    pairs = list(zip(places, sizes, strict=False))
    return [margin for count, size in reversed(pairs) for margin in (size // 2, count - 1 - size // 2)]


def _flat_place(place: Sequence[int], sizes: Sequence[int]) -> int:
    flat = 0
    for entry, size in zip(place, sizes, strict=True):
        flat = flat * size + entry
    return flat


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
