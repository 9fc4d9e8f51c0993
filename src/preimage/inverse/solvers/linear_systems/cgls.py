"""Conjugate gradients for least squares, batched: every sample has its own step sizes and its own end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Operator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class IterativeResult:
    """Outcome of an iterative solve.

    Args:
        x: the answer ``(N, ...)``.
        iterations: iterations in which the sample still moved, int ``(N,)``.
        converged: whether the tolerance was met, bool ``(N,)``.
        gradient: last relative size of A'(y - A x), ``(N,)``.
    """

    x: Tensor
    iterations: Tensor
    converged: Tensor
    gradient: Tensor


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of every sample in float64, ``(N,)``."""
    return torch.linalg.vecdot(a.flatten(1).double(), b.flatten(1).double())


def spread(values: Tensor, like: Tensor) -> Tensor:
    """``(N,)`` shaped and cast to multiply ``like`` ``(N, ...)``."""
    return values.to(like.dtype).view(-1, *[1] * (like.dim() - 1))


def cgls(
    apply: Operator,
    adjoint: Operator,
    y: Tensor,
    start: Tensor,
    *,
    tolerance: float = 1e-10,
    iterations: int = 500,
    recompute: int = 50,
) -> IterativeResult:
    """Minimise |A x - y| per sample; from a zero start the limit is the minimum-norm solution A+ y.

    Reference: Hestenes and Stiefel (1952), https://doi.org/10.6028/jres.049.044; the least-squares form is
    algorithm 7.4.1 of Björck, Numerical Methods for Least Squares Problems (1996),
    https://doi.org/10.1137/1.9781611971484.

    Args:
        apply, adjoint: A and A', both keeping the batch.
        y: right-hand sides ``(N, *out)``.
        start: first guess ``(N, *in)``.
        tolerance: a sample stops when |A'(y - A x)| <= tolerance |A' y|.
        iterations: upper limit.
        recompute: the true residual replaces the updated one every so many iterations.

    Returns:
        The answer with iterations and convergence per sample.

    Cost: one ``apply`` and one ``adjoint`` an iteration; scalars are accumulated in float64.

    Example:
        >>> matrix = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        >>> y = torch.tensor([[2.0, 3.0, 5.0]])
        >>> result = cgls(lambda x: x @ matrix.T, lambda r: r @ matrix, y, torch.zeros(1, 2))
        >>> result.x
        tensor([[1., 3.]])
    """
    x, residual = start, y - apply(start)
    gradient = adjoint(residual)
    scale = inner(*(2 * [adjoint(y)])).clamp_min(torch.finfo(torch.float64).tiny)
    gamma, direction = inner(gradient, gradient), gradient
    used = torch.zeros_like(gamma, dtype=torch.long)
    for count in range(1, iterations + 1):
        active = gamma > tolerance**2 * scale
        if not active.any():
            break
        image = apply(direction)
        curvature = inner(image, image)
        active = active & (curvature > 0)
        step = torch.where(active, gamma / curvature.clamp_min(1e-300), 0)
        x, used = x + spread(step, x) * direction, used + active
        residual = y - apply(x) if count % recompute == 0 else residual - spread(step, image) * image
        gradient = adjoint(residual)
        fresh = inner(gradient, gradient)
        ratio = torch.where(active & (count % recompute != 0), fresh / gamma.clamp_min(1e-300), 0)
        direction, gamma = gradient + spread(ratio, x) * direction, fresh
    return IterativeResult(x, used, gamma <= tolerance**2 * scale, (gamma / scale).sqrt())
