"""Pseudo-inverse of (batches of) matrices with the rank decision made in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decomposed:
    """Pseudo-inverses with their rank and condition number.

    Args:
        inverse: ``(..., n, m)`` in float64.
        rank: sum of the ranks over the batch.
        condition: largest over smallest non-zero singular value, over the whole batch.
    """

    inverse: Tensor
    rank: int
    condition: float


def decompose(matrix: Tensor) -> Decomposed:
    """Moore-Penrose inverse of matrices by the singular value decomposition, V S+ U'.

    Singular values up to ``eps max(m, n) s_max`` count as zero, with s_max the largest of the whole batch
    and eps that of the dtype the values were *stored* in: a float32 weight is known to 1e-7 only.

    Args:
        matrix: ``(..., m, n)``, real or complex.

    Returns:
        The inverses in double precision.

    Example:
        >>> decompose(torch.tensor([[2.0, 0.0], [0.0, 0.0]])).rank
        1
    """
    precision = torch.finfo(matrix.dtype).eps
    wide = torch.complex128 if matrix.is_complex() else torch.float64
    u, s, vh = torch.linalg.svd(matrix.detach().to(wide), full_matrices=False)
    largest = s.max().item() if s.numel() else 0.0
    keep = s > precision * max(matrix.shape[-2:]) * largest
    reciprocal = torch.where(keep, s.reciprocal(), 0)
    inverse = (vh.mH * reciprocal[..., None, :].to(wide)) @ u.mH
    smallest = s[keep].min().item() if keep.any() else 0.0
    return Decomposed(inverse, int(keep.sum()), largest / smallest if smallest else math.inf)
