"""Positions of a signal or picture grouped by their remainder: the phases of a regular sub-sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor


def gather_phases(x: Tensor, factors: Sequence[int]) -> Tensor:
    r"""Sub-sampled copies of x, :math:`p_{c, (i, j), h, w} = x_{c,\, f_1 h + i,\, f_2 w + j}`.

    Args:
        x: tensor ``(N, C, *sizes)``, each size a multiple of its factor.
        factors: one factor a dimension of space.

    Returns:
        Tensor ``(N, C, F, *[size / factor])`` with F the product of the factors, the last factor fastest.

    Cost: one copy of x.

    Example:
        >>> import torch
        >>> gather_phases(torch.arange(6.0).view(1, 1, 6), (3,))[0, 0]
        tensor([[0., 3.],
                [1., 4.],
                [2., 5.]])
    """
    rank = len(factors)
    blocks = [size // factor for size, factor in zip(x.shape[2:], factors, strict=True)]
    pairs = [size for pair in zip(blocks, factors, strict=True) for size in pair]
    split = x.reshape(*x.shape[:2], *pairs)  # (N, C, h, f_1, w, f_2)
    inner = [3 + 2 * i for i in range(rank)]
    outer = [2 + 2 * i for i in range(rank)]
    return split.permute(0, 1, *inner, *outer).reshape(*x.shape[:2], math.prod(factors), *blocks)


def scatter_phases(phases: Tensor, factors: Sequence[int]) -> Tensor:
    """Put sub-sampled copies together again: the inverse of :func:`gather_phases`.

    Args:
        phases: tensor ``(N, C, F, *blocks)``.
        factors: one factor a dimension of space; their product is F.

    Returns:
        Tensor ``(N, C, *[block * factor])``.

    Cost: one copy.

    Example:
        >>> import torch
        >>> x = torch.arange(12.0).view(1, 1, 2, 6)
        >>> torch.equal(scatter_phases(gather_phases(x, (2, 3)), (2, 3)), x)
        True
    """
    rank, blocks = len(factors), phases.shape[3:]
    split = phases.reshape(*phases.shape[:2], *factors, *blocks)  # (N, C, f_1, f_2, h, w)
    woven = [place for i in range(rank) for place in (2 + rank + i, 2 + i)]
    sizes = [block * factor for block, factor in zip(blocks, factors, strict=True)]
    return split.permute(0, 1, *woven).reshape(*phases.shape[:2], *sizes)
