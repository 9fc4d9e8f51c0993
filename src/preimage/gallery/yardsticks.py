"""What a sceptic would compare with: reconstructions that need no inverse at all."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def shrink_and_enlarge(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture averaged down to a tap's own spatial size and enlarged again, bicubic.

    It holds far fewer numbers than the tap (three per position), yet a poor inverse loses against it.

    Args:
        pictures: ``(N, C, H, W)`` in 0..1.
        size: rows and columns to shrink to.

    Returns:
        ``(N, C, H, W)`` in 0..1.

    Cost: two resamplings.

    Example:
        >>> import torch
        >>> x = torch.rand(1, 3, 8, 8)
        >>> torch.allclose(shrink_and_enlarge(x, (1, 1)), mean_colour(x))
        True
    """
    small = functional.adaptive_avg_pool2d(pictures, size)
    if size == (1, 1):
        return small.expand_as(pictures)
    large = functional.interpolate(small, size=pictures.shape[-2:], mode="bicubic", align_corners=False)
    return large.clamp(0, 1)


def mean_colour(pictures: Tensor) -> Tensor:
    """One colour all over, the best of its kind.

    Args:
        pictures: ``(N, C, H, W)``.

    Returns:
        The same shape.

    Cost: one pass.

    Example:
        >>> import torch
        >>> mean_colour(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)).flatten().tolist()
        [0.5, 0.5]
    """
    return pictures.mean((-2, -1), keepdim=True).expand_as(pictures)


def spatial_size(shape: torch.Size | tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a tap's event shape ``(C, H, W)``; one by one where it has none."""
    return (int(shape[1]), int(shape[2])) if len(shape) == 3 else (1, 1)
