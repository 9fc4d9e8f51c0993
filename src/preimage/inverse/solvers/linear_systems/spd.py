"""Conjugate gradients for symmetric positive semi-definite systems, scaled by a diagonal, batched."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.inverse.solvers.linear_systems.cgls import IterativeResult, Operator, inner, spread


def conjugate_gradients(
    operator: Operator,
    right: Tensor,
    start: Tensor,
    diagonal: Tensor,
    *,
    tolerance: float,
    iterations: int,
) -> IterativeResult:
    """Solve M x = right per sample for symmetric positive semi-definite M and a consistent right-hand side.

    Directions in the null space of M keep the value they have in ``start``.

    Reference: Hestenes and Stiefel (1952), https://doi.org/10.6028/jres.049.044.

    Args:
        operator: x to M x, keeping the batch.
        right: ``(N, ...)``.
        start: first guess ``(N, ...)``.
        diagonal: diagonal of M, positive, ``(N, ...)`` or broadcastable.
        tolerance: a sample stops when its preconditioned residual fell to this share of the first one, or
            of that of the zero guess, whichever is larger.
        iterations: upper limit.

    Cost: one application of M an iteration.

    Example:
        >>> diagonal = torch.tensor([[2.0, 4.0]])
        >>> ones = torch.ones(1, 2)
        >>> def operator(x: Tensor) -> Tensor:
        ...     return diagonal * x
        >>> conjugate_gradients(operator, ones, 0 * ones, diagonal, tolerance=1e-6, iterations=9).x
        tensor([[0.5000, 0.2500]])
    """
    x, residual = start, right - operator(start)
    scaled = residual / diagonal
    gamma, direction = inner(residual, scaled), scaled
    length = gamma  # of the direction, in the norm of the diagonal
    limit = tolerance**2 * torch.maximum(gamma, inner(right, right / diagonal))
    first = gamma.clamp_min(torch.finfo(torch.float64).tiny)
    used = torch.zeros_like(gamma, dtype=torch.long)
    for _ in range(iterations):
        active = gamma > limit
        if not active.any():
            break
        image = operator(direction)
        curvature = inner(direction, image)
        flat = curvature <= 1e-6 * length  # rounding in the null space
        active, limit = active & ~flat, torch.where(flat, torch.inf, limit)
        step = torch.where(active, gamma / curvature.clamp_min(1e-300), 0)
        x, used = x + spread(step, x) * direction, used + active
        residual = residual - spread(step, x) * image
        scaled = residual / diagonal
        fresh = inner(residual, scaled)
        ratio = torch.where(active, fresh / gamma.clamp_min(1e-300), 0)
        direction, gamma = scaled + spread(ratio, x) * direction, fresh
        length = fresh + ratio.square() * length  # the new part is orthogonal to the old direction
    return IterativeResult(x, used, gamma <= limit, (gamma / first).sqrt())
