"""Lambert's W function: the inverse of w e^w on either real branch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BRANCH_POINT = -math.exp(-1.0)
"""The smallest value of w e^w, reached at w = -1, where the two branches meet."""

_ONE_OVER_E = {
    torch.float32: (0.3678794503211975, -9.149755188170102e-09),
    torch.float64: (0.36787944117144233, -1.2428753672788363e-17),
}
"""1/e as a number of that precision and what it lacks, so that z + 1/e loses no digits."""

_SERIES = (
    *(-1.0, 1.0, -1 / 3, 11 / 72, -43 / 540, 769 / 17280, -221 / 8505, 680863 / 43545600),
    *(-0.0096168920242994317, 0.0060145432529561179, -0.0038112980348919992, 0.0024408779911439827),
)
"""W in powers of p = +-sqrt(2 (e z + 1)): Corless and others, equation 4.22."""

_NEAR = 0.08
_SMALL = 1e-6


def lambert_w(z: Tensor, branch: int = 0) -> Tensor:
    r"""Solve :math:`w e^w = z` on the branch :math:`w \ge -1` (0) or :math:`w \le -1` (-1).

    Near the branch point a series in :math:`\sqrt{2(e z + 1)}`, near 0 a series in z, else Fritsch's
    iteration in logarithms, which neither overflows nor underflows. The relative error in float64 is below
    4e-15 on both branches, up to the branch point itself; derivatives are right up to the third order.
    Arguments below -1/e are moved up to it: rounding makes them so, and the function ends there.

    Reference: Corless, Gonnet, Hare, Jeffrey and Knuth (1996), https://doi.org/10.1007/BF02124750; Fritsch,
    Shafer and Crowley (1973), https://doi.org/10.1145/361952.361970

    Args:
        z: any shape; ``z >= -1/e``, and ``z < 0`` for branch -1.
        branch: 0 or -1.

    Returns:
        w, the shape of z; on branch -1 minus infinity at z = 0 and NaN above.

    Raises:
        ValueError: for another branch.

    Cost:
        Four logarithms and some twenty products per element.

    Example:
        >>> import torch
        >>> w = lambert_w(torch.tensor([0.0, 1.0]))
        >>> torch.allclose(w * w.exp(), torch.tensor([0.0, 1.0]))
        True
    """
    if branch not in (0, -1):
        raise ValueError(f"the real branches of Lambert's W are 0 and -1; got {branch}")
    sign = 1.0 if branch == 0 else -1.0
    root = _root(z)
    near = root < _NEAR
    w = torch.where(near, _series(sign * root.clamp_max(_NEAR)), _middle(z, root, near, sign))
    return _with_small(z, w) if branch == 0 else _with_limit(z, w)


def _root(z: Tensor) -> Tensor:
    """sqrt(2 (e z + 1)), 0 below the branch point."""
    head, tail = _ONE_OVER_E.get(z.dtype, _ONE_OVER_E[torch.float64])
    above = (z + head) + tail
    tiny = torch.full_like(z, torch.finfo(z.dtype).tiny)  # keeps the slope of the root from being 0/0
    return torch.where(above <= 0, tiny, 2 * math.e * above).sqrt()


def _series(p: Tensor) -> Tensor:
    total = torch.full_like(p, _SERIES[-1])
    for coefficient in reversed(_SERIES[:-1]):
        total = total * p + coefficient
    return total


def _middle(z: Tensor, root: Tensor, near: Tensor, sign: float) -> Tensor:
    """Away from the branch point and from 0, where the logarithms are safe."""
    ordinary = ~near & (z.abs() >= _SMALL) if sign > 0 else ~near & (z < 0)
    safe = torch.where(ordinary | z.isnan(), z, torch.full_like(z, -0.2))
    root = torch.where(ordinary, root, _root(torch.full_like(z, -0.2)))
    fixed = safe.detach()
    w = _start_upper(fixed, root.detach()) if sign > 0 else _start_lower(fixed, root.detach())
    log_ratio = _log_of_ratio if sign > 0 else _difference_of_logs
    for _ in range(2):
        w = _fritsch(w, log_ratio(fixed, w))
    return _fritsch(w, log_ratio(safe, w))  # of order four, so this one step carries three derivatives


def _start_upper(z: Tensor, root: Tensor) -> Tensor:
    log = torch.log1p(z.clamp_min(0))
    large = log * (1 - torch.log1p(log) / (2 + log))  # Iacono and Boyd (2017)
    small = torch.where(z.abs() <= 0.1, z * (1 - z), large)
    return torch.where(z < -0.1, _cubic(root), small)


def _start_lower(z: Tensor, root: Tensor) -> Tensor:
    log = (-z).log().clamp_max(-1.0)
    far = log - (-log).log()
    return torch.where(z < -0.25, _cubic(-root), far)


def _cubic(p: Tensor) -> Tensor:
    return -1 + p * (1 - p / 3 * (1 - 11 * p / 24))


def _log_of_ratio(z: Tensor, w: Tensor) -> Tensor:
    """log(z / w), without cancellation where z is close to w."""
    return (z / w).log()


def _difference_of_logs(z: Tensor, w: Tensor) -> Tensor:
    """log(z / w), where the ratio of a subnormal z would lose digits."""
    return (-z).log() - (-w).log()


def _fritsch(w: Tensor, log_ratio: Tensor) -> Tensor:
    gap = log_ratio - w
    above = 1 + w
    q = 2 * above * (above + 2 / 3 * gap)
    return w * (1 + gap / above * (q - gap) / (q - 2 * gap))


def _with_small(z: Tensor, w: Tensor) -> Tensor:
    small = z.abs() < _SMALL
    tame = torch.where(small, z, torch.zeros_like(z))
    w = torch.where(small, tame * (1 - tame * (1 - 1.5 * tame)), w)
    return torch.where(z == math.inf, z, w)


def _with_limit(z: Tensor, w: Tensor) -> Tensor:
    w = torch.where(z == 0, torch.full_like(w, -math.inf), w)
    return torch.where(z > 0, torch.full_like(w, math.nan), w)
