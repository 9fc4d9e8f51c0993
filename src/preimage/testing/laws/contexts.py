"""A context counts where there is one, and is refused where there is none."""

from __future__ import annotations

import torch

from preimage.checks import as_tuple
from preimage.errors import ContextError
from preimage.testing.case import Case, convert, flat
from preimage.testing.law import LawBrokenError, law, require
from preimage.testing.laws.gradients import score


@law("context counts")
def counts(case: Case) -> None:
    """Another context gives another answer, and each context gets a gradient."""
    if case.context is None:
        return
    for name, (run, value) in case.directions().items():
        other = convert(case.context, lambda tensor: tensor + 1)
        changed, changed_log_det = run(value, other)
        answer, log_det = run(value, case.context)
        same = torch.equal(flat(changed), flat(answer)) and torch.equal(changed_log_det, log_det)
        require(not same, f"{name}: another context gives the same answer")
        leaves = convert(case.context, lambda tensor: tensor.detach().clone().requires_grad_())
        score(run, value, leaves).backward()
        got = [leaf.grad is not None and bool(leaf.grad.any()) for leaf in as_tuple(leaves)]
        require(all(got), f"{name}: a context gets no gradient")


@law("context is checked")
def checked(case: Case) -> None:
    """A missing or superfluous context raises a ContextError."""
    wrong = as_tuple(case.x)[0].new_ones(case.batch, 1) if case.context is None else None
    for name, (run, value) in case.directions().items():
        try:
            run(value, wrong)
        except ContextError:
            continue
        word = "superfluous" if case.context is None else "missing"
        raise LawBrokenError(f"{name}: a {word} context is not refused")
