"""What a solver of systems found, and how good it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from preimage.functional.matrices.jacobian import row_norm


class Root(NamedTuple):
    """What a solver found.

    Args:
        x: the best x that was seen ``(N, D)``, not differentiable.
        residual: ``|y - f(x)|`` over ``|x| + |y|``, ``(N,)``.
        converged: whether the residual is down to rounding, bool ``(N,)``.
        iterations: how many steps were made.
    """

    x: Tensor
    residual: Tensor
    converged: Tensor
    iterations: int


def rounding_level(dtype: torch.dtype) -> float:
    """The relative residual below which a root counts as found: a thousand rounding errors."""
    return 1000 * torch.finfo(dtype).eps


def judged(x: Tensor, y: Tensor, residual: Tensor, iterations: int) -> Root:
    """Judge a candidate.

    Args:
        x: the candidate ``(N, D)``.
        y: what f(x) should be, ``(N, D)``.
        residual: ``|y - f(x)|``, ``(N,)``.
        iterations: how many steps were made.
    """
    scale = (row_norm(x) + row_norm(y)).clamp_min(torch.finfo(x.dtype).tiny)
    relative = residual / scale
    converged = (relative <= rounding_level(x.dtype)) & x.isfinite().all(1)
    return Root(x, relative, converged, iterations)
