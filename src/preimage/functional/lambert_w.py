"""Lambert's W function: the inverse of w e^w on either real branch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BRANCH_POINT = -math.exp(-1.0)
"""The smallest value of w e^w, reached at w = -1, where the two branches meet."""


def lambert_w(z: Tensor, branch: int = 0) -> Tensor:
    """Solve w e^w = z on the branch w >= -1 (branch 0) or w <= -1 (branch -1), by Halley's iteration.

    Arguments below -1/e are moved up to it: rounding makes them so, and the function ends there.

    Reference: Corless, Gonnet, Hare, Jeffrey and Knuth (1996), https://doi.org/10.1007/BF02124750.

    Args:
        z: any shape; ``z >= -1/e``, and ``z < 0`` for branch -1.
        branch: 0 or -1.

    Returns:
        w, the shape of z; NaN where branch -1 is asked for z >= 0.

    Raises:
        ValueError: for another branch.

    Cost:
        Six Halley steps, one exponential each.

    Example:
        >>> import torch
        >>> w = lambert_w(torch.tensor([0.0, 1.0]))
        >>> torch.allclose(w * w.exp(), torch.tensor([0.0, 1.0]))
        True
    """
    if branch not in (0, -1):
        raise ValueError(f"the real branches of Lambert's W are 0 and -1; got {branch}")
    z = z.clamp_min(BRANCH_POINT)
    w = _start_upper(z) if branch == 0 else _start_lower(z)
    for _ in range(6):
        w = _halley(w, z)
    at_end = z <= BRANCH_POINT
    w = torch.where(at_end, torch.full_like(w, -1.0), w)
    return w if branch == 0 else torch.where(z < 0, w, torch.full_like(w, math.nan))


def _near_branch_point(z: Tensor, sign: float) -> Tensor:
    """Series w = -1 + p - p^2/3 + 11 p^3/72 with p = +-sqrt(2 (e z + 1))."""
    p = sign * (2 * (math.e * z + 1)).clamp_min(0).sqrt()
    return -1 + p * (1 - p / 3 * (1 - 11 * p / 24))


def _start_upper(z: Tensor) -> Tensor:
    log = torch.log1p(z.clamp_min(0))
    large = log * (1 - torch.log1p(log) / (2 + log))  # Iacono and Boyd (2017)
    return torch.where(z < -0.25, _near_branch_point(z, 1.0), torch.where(z < 0, z * (1 - z), large))


def _start_lower(z: Tensor) -> Tensor:
    log = (-z.clamp_max(-torch.finfo(z.dtype).tiny)).log()
    far = log - (-log).clamp_min(1e-30).log()
    return torch.where(z < -0.25, _near_branch_point(z, -1.0), far.clamp_max(-1.0))


def _halley(w: Tensor, z: Tensor) -> Tensor:
    exponential = w.exp()
    error = w * exponential - z
    above = w + 1
    safe = torch.where(above.abs() < 1e-12, torch.ones_like(above), above)
    step = error / (exponential * safe - (w + 2) * error / (2 * safe))
    step = torch.where(above.abs() < 1e-12, torch.zeros_like(step), step)
    return w - torch.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0)
