"""Convolutions in one, two or three dimensions that keep the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
"""The convolution for every number of dimensions of space."""


def reach_before(sizes: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """How far a kernel of these sizes reaches to the left, as padding "same" does: the half, rounded down.

    Example:
        >>> reach_before((3, 2, 1), (1, 1, 1))
        [1, 0, 0]
    """
    return [step * (size - 1) // 2 for size, step in zip(sizes, dilation, strict=True)]


def wrap_around(x: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """Continue the dimensions of space periodically, as often as needed.

    Args:
        x: tensor ``(N, C, *sizes)``.
        before: places to add in front, one number a dimension, also larger than its size.
        after: places to add behind.

    Returns:
        Tensor ``(N, C, *[before + size + after])``.

    Cost: one copy a dimension.

    Example:
        >>> wrap_around(torch.tensor([[[1.0, 2.0]]]), [3], [1])
        tensor([[[2., 1., 2., 1., 2., 1.]]])
    """
    for dim, (left, right) in enumerate(zip(before, after, strict=True), start=2):
        if left or right:
            places = torch.arange(-left, x.shape[dim] + right, device=x.device) % x.shape[dim]
            x = x.index_select(dim, places)
    return x


def circular_convolution(x: Tensor, weight: Tensor, dilation: Sequence[int], groups: int) -> Tensor:
    """Convolution with periodic borders, as ``padding="same", padding_mode="circular"`` computes it.

    Args:
        x: tensor ``(N, C, *sizes)``.
        weight: kernel ``(C, C / groups, *kernel_sizes)``, also larger than x.
        dilation: distance between the taps, one number a dimension.
        groups: number of groups of channels.

    Returns:
        Tensor of the shape of x.

    Cost: that of the convolution.

    Example:
        >>> circular_convolution(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.ones(1, 1, 2), [1], 1)
        tensor([[[3., 5., 4.]]])
    """
    sizes = weight.shape[2:]
    before = reach_before(sizes, dilation)
    after = [step * (size - 1) - left for size, step, left in zip(sizes, dilation, before, strict=True)]
    convolve = CONVOLUTIONS[len(sizes)]
    return convolve(wrap_around(x, before, after), weight, dilation=tuple(dilation), groups=groups)


def zero_padded_convolution(x: Tensor, weight: Tensor) -> Tensor:
    """Convolution with zeros beyond the borders that keeps the size; odd kernels are centred.

    Args:
        x: tensor ``(N, C, *sizes)``.
        weight: kernel ``(D, C, *kernel_sizes)``; place ``size // 2`` of it meets the position itself.

    Returns:
        Tensor ``(N, D, *sizes)``.

    Cost: that of the convolution.

    Example:
        >>> zero_padded_convolution(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.ones(1, 1, 3))
        tensor([[[3., 6., 5.]]])
    """
    sizes = weight.shape[2:]
    margins = [reach for size in reversed(sizes) for reach in (size // 2, size - 1 - size // 2)]
    return CONVOLUTIONS[len(sizes)](functional.pad(x, margins), weight)
