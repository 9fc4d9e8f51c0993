"""Orthonormal cosine bases: of the block that one position decodes, and of whole pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn


def cosine_basis(length: int, kept: int | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """The first rows of the orthonormal DCT-II matrix.

    Row k is ``sqrt(2/n) cos(pi k (i + 1/2) / n)``, with row 0 scaled to ``1/sqrt(n)``.

    Args:
        length: number of samples n.
        kept: number of rows, lowest frequencies first; all when None.
        dtype: of the result.

    Returns:
        Tensor ``(kept, length)`` with orthonormal rows.

    Example:
        >>> basis = cosine_basis(4)
        >>> torch.allclose(basis @ basis.T, torch.eye(4), atol=1e-6)
        True
    """
    sample = torch.arange(length, dtype=torch.float64) + 0.5
    frequency = torch.arange(kept or length, dtype=torch.float64)
    basis = torch.cos(math.pi * torch.outer(frequency, sample) / length) * math.sqrt(2 / length)
    basis[0] /= math.sqrt(2)
    return basis.to(dtype)


@final
class BlockBasis(nn.Module):
    """The lowest cosine frequencies of a block ``(C, b_h, b_w)``, as a separable orthonormal transform.

    Args:
        block: channels, height and width of a block.
        kept: frequencies kept along height and width.
    """

    def __init__(self, block: Sequence[int], kept: Sequence[int]) -> None:
        super().__init__()
        self.shape = (block[0], min(kept[0], block[1]), min(kept[1], block[2]))
        # Not buffers: a module in single precision must not round them for inputs in double precision.
        self.rows = cosine_basis(block[1], self.shape[1], torch.float64)
        self.columns = cosine_basis(block[2], self.shape[2], torch.float64)

    @property
    def size(self) -> int:
        """Number of coefficients of a block."""
        return math.prod(self.shape)

    def analyse(self, blocks: Tensor) -> Tensor:
        """Coefficients ``(..., C k_h k_w)`` of blocks ``(..., C, b_h, b_w)``."""
        rows, columns = self.rows.to(blocks), self.columns.to(blocks)
        return (rows @ blocks @ columns.mT).flatten(-3)

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Blocks ``(..., C, b_h, b_w)`` from coefficients ``(..., C k_h k_w)``; what was cut off is zero."""
        rows, columns = self.rows.to(coefficients), self.columns.to(coefficients)
        return rows.mT @ coefficients.unflatten(-1, self.shape) @ columns
