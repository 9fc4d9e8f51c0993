"""Rows do not touch each other, and every layout of memory gives the same answer."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.checks import as_tuple
from preimage.testing.case import Case, Run, convert, flat
from preimage.testing.law import law, require, require_close

CLOSE = 1e-11


def _same(run: Run, value: object, other: object, case: Case, what: str) -> None:
    wanted, wanted_log_det = run(value, case.context)
    actual, log_det = run(other, case.context)
    require_close(flat(actual), flat(wanted), CLOSE * case.tolerance, f"{what}: values")
    require_close(log_det, wanted_log_det, CLOSE * case.tolerance, f"{what}: log_det")


@law("rows are independent")
def rows(case: Case) -> None:
    """A row alone gives what it gives in a batch."""
    for name, (run, value) in case.directions().items():
        whole, log_det = run(value, case.context)
        for i in range(case.batch):
            one = convert(value, lambda tensor: tensor[i : i + 1])  # noqa: B023
            context = convert(case.context, lambda tensor: tensor[i : i + 1])  # noqa: B023
            alone, alone_log_det = run(one, context)
            require_close(flat(alone), flat(whole)[i : i + 1], CLOSE * case.tolerance, f"{name} of row {i}")
            require_close(
                alone_log_det, log_det[i : i + 1], CLOSE * case.tolerance, f"{name} log_det of row {i}"
            )


@law("NaN stays in its row")
def nan_rows(case: Case) -> None:
    """A row of NaN gives something that is not finite, and the other rows are as before."""
    for name, (run, value) in case.directions().items():
        poisoned = convert(value, _poison)
        answer, log_det = run(poisoned, case.context)
        wanted = run(value, case.context)[0]
        evidence = torch.cat([flat(answer), log_det[:, None]], dim=1)
        require(not evidence[0].isfinite().all(), f"{name}: a row of NaN gave only finite numbers")
        require_close(flat(answer)[1:], flat(wanted)[1:], CLOSE * case.tolerance, f"{name} of the other rows")


def _poison(tensor: Tensor) -> Tensor:
    poisoned = tensor.clone()
    poisoned[0] = float("nan")
    return poisoned


@law("empty batch")
def empty(case: Case) -> None:
    """Zero rows give zero rows, in both directions and backwards."""
    none = case.fresh().rows(slice(0, 0))
    for name, (run, value) in none.directions().items():
        answer, log_det = run(value, none.context)
        require(all(tensor.shape[0] == 0 for tensor in as_tuple(answer)), f"{name}: rows out of nothing")
        require(log_det.shape == (0,), f"{name}: log_det of shape {tuple(log_det.shape)}")
        if log_det.requires_grad:
            (flat(answer).sum() + log_det.sum()).backward()


@law("single row")
def single(case: Case) -> None:
    """One row makes a round trip."""
    one = case.rows(slice(0, 1))
    back = one.layer.inverse(one.layer.forward(one.x, one.context), one.context)
    require_close(flat(back), flat(one.x), 1e-5 * case.tolerance, "round trip of one row")


@law("non-contiguous input")
def strided(case: Case) -> None:
    """Tensors with gaps in memory give the same answer."""
    for name, (run, value) in case.directions().items():
        _same(run, value, convert(value, _with_gaps), case, f"{name} of a tensor with gaps")


def _with_gaps(tensor: Tensor) -> Tensor:
    return torch.stack([tensor, tensor], dim=-1).flip(-1)[..., 0]


@law("channels last")
def channels_last(case: Case) -> None:
    """Pictures stored with channels last give the same answer; only for 4-d tensors."""
    for name, (run, value) in case.directions().items():
        other = convert(
            value, lambda t: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t
        )
        _same(run, value, other, case, f"{name} with channels last")


@law("input unchanged")
def pure(case: Case) -> None:
    """Neither direction writes into its input."""
    for name, (run, value) in case.directions().items():
        before = flat(value).clone()
        run(value, case.context)
        require(torch.equal(flat(value), before), f"{name} changed its input")
