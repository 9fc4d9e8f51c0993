"""Forward and inverse undo each other, as closely as the conditioning of the map allows."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.testing.case import Case, flat, jacobian
from preimage.testing.law import law, require_close


def conditioning(case: Case) -> float:
    """How much the map can amplify rounding: the largest of |J|, |J^-1| and their product, at least 1."""
    matrix = jacobian(case.layer.forward_and_log_det, case.x, case.context)
    if matrix.shape[-1] != matrix.shape[-2] or not matrix.numel():
        return 1.0
    singular = torch.linalg.svdvals(matrix)  # (N, D)
    largest, smallest = singular[:, 0], singular[:, -1].clamp_min(1e-12)
    return float(torch.stack([largest, 1 / smallest, largest / smallest]).max().clamp(1.0, 1e8))


def _check(case: Case, error: float, what: str) -> None:
    x = flat(case.x)
    y = case.layer.forward(case.x, case.context)
    back = case.layer.inverse(y, case.context)
    again = case.layer.forward(back, case.context)
    require_close(flat(back), x, error, f"{what}: inverse(forward(x)) against x")
    require_close(flat(again), flat(y), error, f"{what}: forward(inverse(y)) against y")


def _size(x: Tensor) -> float:
    return float(1 + x.abs().max()) if x.numel() else 1.0


@law("round trip")
def round_trip(case: Case) -> None:
    """Both round trips in float64, to 100 rounding errors times the conditioning."""
    error = 100 * case.tolerance * torch.finfo(torch.float64).eps * conditioning(case) * _size(flat(case.x))
    _check(case, error, "float64")


@law("round trip in float32")
def round_trip_float32(case: Case) -> None:
    """Both round trips in float32, to 100 rounding errors times the conditioning."""
    error = 100 * case.tolerance * torch.finfo(torch.float32).eps * conditioning(case) * _size(flat(case.x))
    _check(case.to(torch.float32), error, "float32")
