"""The plain ridge decoder: a window of 3 x 3 features to a block of pixels, one ridge for everything."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
ROWS = 400  # positions used of one crop, and no window where 3 x 3 features are too many
WIDEST = 2000


def windows(y: Tensor) -> Tensor:
    """``(N, h, w, D)``: the features around every position, zero beyond the border."""
    if y.dim() == 2:
        y = y[:, :, None, None]
    if 9 * y.shape[1] > WIDEST or min(y.shape[2:]) < 3:
        return y.permute(0, 2, 3, 1)
    return functional.unfold(y, 3, padding=1).unflatten(2, y.shape[2:]).permute(0, 2, 3, 1)


def blocks(x: Tensor, size: int) -> Tensor:
    """``(N, h, w, C b b)``."""
    return functional.pixel_unshuffle(x, size).permute(0, 2, 3, 1)


def plain_ridge(f: Callable[[Tensor], Tensor], x: Tensor, groups: Tensor, y: Tensor) -> Tensor:
    """Fit on all groups but the last two, choose the ridge on these, decode ``y``."""
    last = groups.unique()[-2:]
    held = torch.isin(groups, last)
    size = x.shape[2] // (y.shape[2] if y.dim() == 4 else 1)
    z = moments(f, x[~held], size)
    mean, joint = z[0][1:] / z[0][0], z[1:, 1:] / z[0][0]
    width = windows(y[:1]).shape[3]
    covariance = joint - torch.outer(mean[:width], mean)
    rows, truth = windows(f(x[held])) - mean[:width], x[held]
    best, least = None, float("inf")
    for ridge in RIDGES:
        weight = regression(covariance, width, ridge)
        if weight is None:
            continue
        error = float((decode(rows, weight, mean[width:], size) - truth).square().mean())
        best, least = (weight, error) if error < least else (best, least)
    return decode(windows(y) - mean[:width], best, mean[width:], size)


def moments(f: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """Sums of ``(1, y)^T (1, y, x)`` over positions, ``(1 + D, 1 + D + T)``."""
    total = torch.zeros(())
    for start in range(0, len(x), 12):
        part = x[start : start + 12]
        seen, wanted = windows(f(part)).flatten(1, 2), blocks(part, size).flatten(1, 2)
        step = -(-seen.shape[1] // ROWS)
        seen, wanted = (
            seen[:, start % step :: step].flatten(0, 1),
            wanted[:, start % step :: step].flatten(0, 1),
        )
        z = torch.cat([torch.ones(len(seen), 1), seen, wanted], 1)
        total = total + z[:, : 1 + seen.shape[1]].T @ z
    return total


def regression(covariance: Tensor, width: int, ridge: float) -> Tensor | None:
    """``(C_yy + ridge s I)^-1 C_yx``, or None where it is singular in this precision."""
    square = covariance[:, :width]
    factor, info = torch.linalg.cholesky_ex(square + ridge * square.diagonal().mean() * torch.eye(width))
    return None if info.item() else torch.cholesky_solve(covariance[:, width:], factor)


def decode(rows: Tensor, weight: Tensor, mean: Tensor, size: int) -> Tensor:
    return functional.pixel_shuffle((rows @ weight + mean).permute(0, 3, 1, 2), size)
