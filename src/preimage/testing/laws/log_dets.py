"""The log_det is that of the Jacobian, in both directions."""

from __future__ import annotations

import torch

from preimage.testing.case import Case, jacobian
from preimage.testing.law import law, require, require_close


@law("log_det")
def log_det(case: Case) -> None:
    """Both log_dets against autograd's Jacobian, to 1e-9."""
    for name, (run, value) in case.directions().items():
        matrix = jacobian(run, value, case.context)
        require(
            matrix.shape[-1] == matrix.shape[-2], f"{name}: the map is not square: {tuple(matrix.shape[1:])}"
        )
        wanted = torch.linalg.slogdet(matrix).logabsdet
        actual = run(value, case.context)[1]
        require_close(actual, wanted, 1e-9 * case.tolerance, f"{name}: log_det against autograd")


@law("log_det shape")
def log_det_shape(case: Case) -> None:
    """Both log_dets are ``(N,)``, of the dtype and device of the input."""
    for name, (run, value) in case.directions().items():
        found = run(value, case.context)[1]
        like = value[0] if isinstance(value, tuple) else value
        require(found.shape == (case.batch,), f"{name}: log_det has shape {tuple(found.shape)}")
        require(found.dtype == like.dtype, f"{name}: log_det has dtype {found.dtype}, the input {like.dtype}")
        require(
            found.device == like.device, f"{name}: log_det is on {found.device}, the input on {like.device}"
        )


@law("opposite log_dets")
def opposite(case: Case) -> None:
    """The log_det of the inverse at y is minus that of the map at x."""
    y, forward = case.layer.forward_and_log_det(case.x, case.context)
    inverse = case.layer.inverse_and_log_det(y, case.context)[1]
    require_close(-inverse, forward, 1e-9 * case.tolerance, "minus the inverse's log_det")
