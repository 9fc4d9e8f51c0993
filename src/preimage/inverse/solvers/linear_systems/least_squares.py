"""Damped linear least squares by conjugate gradients, one problem a sample, with matrix products only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]


class Step(NamedTuple):
    """The answer of :func:`damped_least_squares`.

    ``solution (N, *in)``; ``residual = b - A u``, ``(N, *out)``; ``iterations (N,)`` until a sample was done.
    """

    solution: Tensor
    residual: Tensor
    iterations: Tensor


def squared_norm(x: Tensor) -> Tensor:
    """Squared Euclidean norm of every sample, ``(N,)``."""
    return x.flatten(1).square().sum(1)


def over(scalar: Tensor, like: Tensor) -> Tensor:
    """A value per sample ``(N,)``, shaped to multiply ``like (N, ...)``."""
    return scalar.view(-1, *[1] * (like.dim() - 1))


def damped_least_squares(
    a: Product, a_transpose: Product, b: Tensor, damping: Tensor, *, iterations: int, tolerance: float
) -> Step:
    """Minimise ``|A u - b|^2 + lambda |u|^2`` for every sample, by CGLS from u = 0.

    With lambda = 0 and enough iterations u is the least-squares solution of least norm; stopped early, it
    is regularised by the stop alone.

    Reference: A. Bjorck, Numerical Methods for Least Squares Problems, 1996, algorithm 7.4.1.

    Args:
        a, a_transpose: products with A and its transpose.
        b: right-hand sides, ``(N, *out)``.
        damping: lambda relative to ``|A s|^2 / |s|^2`` with ``s = A^T b``, ``(N,)``.
        iterations: at most so many, two products each.
        tolerance: a sample is done when the gradient is this much smaller than at the start.

    Returns:
        The solutions with their residuals and iteration counts.

    Cost: two products an iteration.

    Example:
        >>> matrix = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
        >>> b, damping = torch.tensor([[3.0, 2.0]]), torch.zeros(1)
        >>> product = lambda u: u @ matrix.T
        >>> step = damped_least_squares(product, product, b, damping, iterations=5, tolerance=1e-6)
        >>> torch.allclose(step.solution, torch.tensor([[1.0, 2.0]]), atol=1e-5)
        True
    """
    residual, gradient = b.clone(), a_transpose(b)
    solution, direction = torch.zeros_like(gradient), gradient.clone()
    size = first = squared_norm(gradient)
    shift, counts = torch.zeros_like(size), torch.zeros_like(size, dtype=torch.long)
    for iteration in range(iterations):
        active = (size > tolerance**2 * first) & size.isfinite()
        if not bool(active.any()):
            break
        counts += active
        image, length = a(direction), squared_norm(direction)
        stretch = squared_norm(image)
        shift = damping * stretch / _positive(length) if iteration == 0 else shift
        step = torch.where(active, size / _positive(stretch + shift * length), 0.0)
        solution = solution + over(step, direction) * direction
        residual = residual - over(step, image) * image
        gradient = a_transpose(residual) - over(shift, solution) * solution
        previous, size = size, torch.where(active, squared_norm(gradient), size)
        direction = gradient + over(size / _positive(previous), direction) * direction
    return Step(solution, residual, counts)


def _positive(x: Tensor) -> Tensor:
    return x.clamp_min(torch.finfo(x.dtype).tiny)
