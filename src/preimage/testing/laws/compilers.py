"""Compiled, exported and transformed by ``torch.func``, a layer gives the same answers."""

from __future__ import annotations

from typing import Any

import torch

from preimage.checks import as_tuple
from preimage.testing.case import Case, Run, convert, flat, jacobian
from preimage.testing.law import law, require_close

CLOSE = 1e-9


def _require_same(case: Case, run: Run, other: Run, value: Any, what: str) -> None:
    wanted, wanted_log_det = run(value, case.context)
    actual, log_det = other(value, case.context)
    require_close(flat(actual), flat(wanted), CLOSE * case.tolerance, f"{what}: values")
    require_close(log_det, wanted_log_det, CLOSE * case.tolerance, f"{what}: log_det")


def _compile(case: Case, backend: str) -> None:
    for name, (run, value) in case.fresh().directions().items():
        torch._dynamo.reset()
        compiled = torch.compile(run, fullgraph=True, backend=backend)
        _require_same(case, run, compiled, value, f"compiled {name}")


@law("compile")
def compile_eager(case: Case) -> None:
    """``torch.compile(fullgraph=True)`` traces both directions without a break."""
    _compile(case, "eager")


@law("compile to machine code", slow=True)
def compile_inductor(case: Case) -> None:
    """The default compiler gives the same answers."""
    _compile(case, "inductor")


@law("export")
def export(case: Case) -> None:
    """``torch.export`` captures both directions."""
    for name, module, value in (("forward", case.layer, case.x), ("inverse", case.layer.inv, case.y)):
        arguments = (value,) if case.context is None else (value, case.context)
        program = torch.export.export(module, arguments, strict=False)
        wanted = flat(module(*arguments))
        require_close(flat(program.module()(*arguments)), wanted, CLOSE * case.tolerance, f"exported {name}")


@law("vmap")
def vmap(case: Case) -> None:
    """``torch.func.vmap`` over rows equals the batch."""
    for name, (run, value) in case.directions().items():
        batched = torch.func.vmap(_one_row(run))
        answer, log_det = batched(value, case.context) if case.context is not None else batched(value)
        wanted, wanted_log_det = run(value, case.context)
        require_close(flat(answer), flat(wanted), CLOSE * case.tolerance, f"vmap of {name}: values")
        require_close(log_det, wanted_log_det, CLOSE * case.tolerance, f"vmap of {name}: log_det")


def _one_row(run: Run) -> Any:
    def apply(value: Any, context: Any = None) -> Any:
        lift = lambda tensor: tensor[None]  # noqa: E731
        answer, log_det = run(convert(value, lift), convert(context, lift))
        return convert(answer, lambda tensor: tensor[0]), log_det[0]

    return apply


@law("jacrev")
def jacrev(case: Case) -> None:
    """``torch.func.jacrev`` of one row equals autograd's Jacobian."""
    one = case.rows(slice(0, 1))
    for name, (run, value) in one.directions().items():
        row = convert(value, lambda tensor: tensor[0])
        context = convert(one.context, lambda tensor: tensor[0])
        single = _one_row(run)
        blocks = torch.func.jacrev(lambda v: flat(convert(single(v, context)[0], lambda t: t[None]))[0])(row)  # noqa: B023
        actual = torch.cat([block.flatten(1) for block in as_tuple(blocks)], dim=1)
        require_close(
            actual, jacobian(run, value, one.context)[0], 1e-8 * case.tolerance, f"jacrev of {name}"
        )
