"""Many small least-squares problems at once: Cholesky with info codes, eigenvectors only where it fails."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NormalEquations:
    """Minimisers of |D (A x - t)| for many 0/1 diagonals D and one A.

    Args:
        x: minimiser of smallest norm, ``(B, n)``.
        rank: numerical rank of D A, int ``(B,)``.
        spread: sqrt of the trace of (A' D A)^-1, the root of the summed variances of x under unit noise in t;
            infinite where the rank is deficient, ``(B,)``.
        null: orthonormal basis of the null space for the deficient systems, ``(F, n, n)``; column j counts
            only where ``open`` is True.
        open: which columns span the null space, bool ``(F, n)``.
        deficient: indices of these systems, ``(F,)``.
    """

    x: Tensor
    rank: Tensor
    spread: Tensor
    null: Tensor
    open: Tensor
    deficient: Tensor


def solve_masked(matrix: Tensor, mask: Tensor, target: Tensor, cutoff: float = 1e-5) -> NormalEquations:
    """Solve A' D_b A x_b = A' D_b t_b for every b.

    A system counts as full rank when A' D A - c I is positive definite, with c = (cutoff |A|)^2: its smallest
    singular value then exceeds ``cutoff`` times the largest of A. All others go through an
    eigendecomposition.

    Args:
        matrix: A, ``(m, n)`` in float64.
        mask: the diagonals D, bool ``(B, m)``.
        target: t, ``(B, m)`` in float64; ignored where the mask is False.
        cutoff: relative size of singular values that count as zero. The normal equations square it, so it
            must stay above 1e-7.

    Returns:
        Solutions, ranks and null spaces.

    Cost: ``B m n^2`` for the products, ``B n^3`` for the factorisations.

    Example:
        >>> matrix = torch.eye(2, dtype=torch.float64)
        >>> mask = torch.tensor([[True, True], [True, False]])
        >>> solved = solve_masked(matrix, mask, torch.ones(2, 2, dtype=torch.float64))
        >>> solved.rank.tolist(), solved.x.tolist()
        ([2, 1], [[1.0, 1.0], [1.0, 0.0]])
    """
    n = matrix.shape[1]
    grams = masked_gram(matrix, mask)
    right = (mask * target) @ matrix
    floor = (cutoff * torch.linalg.matrix_norm(matrix, 2)).square()
    eye = torch.eye(n, dtype=matrix.dtype, device=matrix.device)
    failed = torch.linalg.cholesky_ex(grams - floor * eye).info != 0
    factor = torch.linalg.cholesky_ex(torch.where(failed[:, None, None], eye, grams)).L
    inverse = torch.cholesky_inverse(factor)
    x = (inverse @ right[..., None])[..., 0]
    x = x + (inverse @ (right - (grams @ x[..., None])[..., 0])[..., None])[..., 0]  # one refinement
    spread = inverse.diagonal(dim1=-2, dim2=-1).sum(-1).sqrt()
    deficient = failed.nonzero()[:, 0]
    values, vectors = torch.linalg.eigh(grams[deficient])
    closed = values > floor
    weights = torch.where(closed, values.reciprocal(), 0)
    x[deficient] = (vectors @ (weights[..., None] * (vectors.mT @ right[deficient][..., None])))[..., 0]
    rank = torch.full((mask.shape[0],), n, dtype=torch.long, device=mask.device)
    rank[deficient] = closed.sum(1)
    spread[deficient] = torch.where(closed.all(1), weights.sum(1).sqrt(), torch.inf)
    return NormalEquations(x, rank, spread, vectors, ~closed, deficient)


def masked_gram(matrix: Tensor, mask: Tensor) -> Tensor:
    """A' D_b A for every b, ``(B, n, n)``: one matrix product with the outer products of the rows."""
    m, n = matrix.shape
    outer = (matrix[:, :, None] * matrix[:, None, :]).view(m, n * n)
    return (mask.to(matrix.dtype) @ outer).view(-1, n, n)
