"""Ridge regression from moments, with a ridge per target component chosen on pictures that were left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.inverse.calibrate.moments import Moments, total

RIDGES = (1e-10, 1e-6, 1e-5, 1e-4, 1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1, 10**-0.5, 1.0, 10.0, math.inf)


@final
@dataclass(frozen=True)
class Regression:
    """An affine estimate of x from y, ``x = offset + B^T y``.

    Args:
        offset: ``(T,)``.
        weight: B, ``(D, T)``.
        ridges: relative ridge of each component, ``(T,)``.
        error: second moment of the error on left-out pictures, ``(T, T)``.
        left_out: the same estimate fitted without each fold in turn, as ``(offset, weight)``.
    """

    offset: Tensor
    weight: Tensor
    ridges: Tensor
    error: Tensor
    left_out: tuple[tuple[Tensor, Tensor], ...]


def solve(moments: Moments, targets: Tensor, ridge: float) -> tuple[Tensor, Tensor] | None:
    """``B = (C_yy + ridge s I)^-1 C_yx U`` and its offset, s the mean variance of y; None where singular."""
    c_yy, c_yx, _ = moments.covariances()
    mean_y, mean_x = moments.means()
    if math.isinf(ridge):
        weight = torch.zeros_like(c_yx @ targets)
    else:
        scale = c_yy.diagonal().mean().clamp_min(torch.finfo(c_yy.dtype).tiny)
        factor, info = torch.linalg.cholesky_ex(c_yy + ridge * scale * torch.eye(len(c_yy)).to(c_yy))
        if info.item():
            return None
        weight = torch.cholesky_solve(c_yx @ targets, factor)
    return mean_x @ targets - mean_y @ weight, weight


def error_map(offset: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """G with ``G^T (1, y, x)`` = the error of the estimate, ``(1 + D + T, T)``."""
    return torch.cat([-offset[None], -weight, targets])


def regress(folds: list[Moments], ridges: tuple[float, ...] = RIDGES) -> Regression:
    """Estimate each principal component of x with the ridge that serves it best on left-out folds.

    The infinite ridge is among the candidates: a component that y does not predict shrinks to its mean.

    Args:
        folds: moments of disjoint groups of pictures, at least two.
        ridges: candidates, relative to the mean variance of y.

    Returns:
        The regression on all folds, with the error that it would have had on left-out ones.
    """
    everything = total(folds)
    held = [Moments(fold.matrix.double(), fold.regressors) for fold in folds]
    targets = torch.linalg.eigh(everything.covariances()[2])[1]  # (T, T), columns are components
    paths = [[solve(everything.without(fold), targets, ridge) for ridge in ridges] for fold in held]
    errors = torch.stack([_held_out_errors(f, path, targets) for f, path in zip(held, paths, strict=True)])
    best = errors.mean(0).argmin(0)  # (T,)
    final = _pick([solve(everything, targets, ridge) for ridge in ridges], best)
    left_out = [_pick(path, best) for path in paths]
    share = [float(fold.count / everything.count) for fold in held]
    error = sum(
        s * fold.second_moment(error_map(*estimate, targets))
        for s, fold, estimate in zip(share, held, left_out, strict=True)
    )
    return Regression(
        targets @ final[0],
        final[1] @ targets.T,
        torch.tensor(ridges, dtype=torch.float64)[best.cpu()],
        targets @ torch.as_tensor(error) @ targets.T,
        tuple((targets @ offset, weight @ targets.T) for offset, weight in left_out),
    )


def fixed(moments: Moments, ridge: float) -> Regression:
    """The regression with one given relative ridge; its error is that of the rows it was fitted to."""
    moments = total([moments])
    targets = torch.eye(len(moments.matrix) - 1 - moments.regressors).to(moments.matrix)
    estimate = solve(moments, targets, ridge) or solve(moments, targets, max(ridge, 1e-6))
    if estimate is None:
        estimate = _pick([solve(moments, targets, math.inf)], torch.zeros(len(targets), dtype=torch.long))
    error = moments.second_moment(error_map(*estimate, targets))
    ridges = torch.full((len(targets),), ridge, dtype=torch.float64)
    return Regression(*estimate, ridges, error, (estimate,))


def _held_out_errors(
    fold: Moments, path: list[tuple[Tensor, Tensor] | None], targets: Tensor
) -> Tensor:  # (ridges, T), weighted by rows
    worst = torch.full((targets.shape[1],), math.inf, dtype=targets.dtype, device=targets.device)
    rows = [worst if p is None else fold.mean_square(error_map(*p, targets)) * fold.count for p in path]
    return torch.stack(rows)


def _pick(path: list[tuple[Tensor, Tensor] | None], best: Tensor) -> tuple[Tensor, Tensor]:
    solved = [p for p in path if p is not None]
    position = torch.tensor([sum(p is not None for p in path[:i]) for i in range(len(path))])
    index = position.to(best.device)[best].clamp_max(len(solved) - 1)
    columns = torch.arange(len(best), device=best.device)
    offsets, weights = (torch.stack(part) for part in zip(*solved, strict=True))
    return offsets[index, columns], weights[index, :, columns].T
