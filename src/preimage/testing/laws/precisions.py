"""float32 and float64 work alike, half precision only where it does no harm."""

from __future__ import annotations

import torch

from preimage.checks import as_tuple
from preimage.errors import ShapeError
from preimage.testing.case import Case, convert, flat
from preimage.testing.law import LawBrokenError, law, require, require_close
from preimage.testing.laws.round_trips import conditioning


@law("to(dtype)")
def to_dtype(case: Case) -> None:
    """A layer moved to float32 answers in float32, and about the same."""
    error = 1e-4 * case.tolerance * conditioning(case)
    single = case.to(torch.float32)
    for (name, (run, value)), (wide_run, wide_value) in zip(
        single.directions().items(), case.directions().values(), strict=True
    ):
        answer, log_det = run(value, single.context)
        require(all(t.dtype == torch.float32 for t in as_tuple(answer)), f"{name} does not answer in float32")
        require(log_det.dtype == torch.float32, f"{name}: log_det is {log_det.dtype}")
        require_close(flat(answer), flat(wide_run(wide_value, case.context)[0]), error, f"{name} in float32")


@law("half precision is refused")
def half(case: Case) -> None:
    """bfloat16 outside of autocast raises a ShapeError."""
    small = case.to(torch.float32)
    for name, (run, value) in small.directions().items():
        try:
            run(convert(value, lambda tensor: tensor.bfloat16()), small.context)
        except ShapeError:
            continue
        raise LawBrokenError(f"{name} accepts bfloat16, which has no usable inverse")


@law("autocast")
def autocast(case: Case) -> None:
    """Under bfloat16 autocast values and log_det stay float32, and the round trip holds."""
    small = case.to(torch.float32)
    error = 1e-3 * case.tolerance * conditioning(case)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, log_det = small.layer.forward_and_log_det(small.x, small.context)
        back, back_log_det = small.layer.inverse_and_log_det(y, small.context)
    require(log_det.dtype == torch.float32, f"forward log_det is {log_det.dtype}")
    require(back_log_det.dtype == torch.float32, f"inverse log_det is {back_log_det.dtype}")
    require(all(t.dtype == torch.float32 for t in as_tuple(y)), "forward does not answer in float32")
    require_close(flat(back), flat(small.x), error, "round trip under autocast")
