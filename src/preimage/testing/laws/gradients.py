"""Gradients are right, and reach everything that they should reach."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from preimage.bijection import Chain
from preimage.checks import as_tuple, unpack
from preimage.testing.case import Case, Run, convert, flat
from preimage.testing.law import LawBrokenError, law, require, require_close


def _leaves(value: Any) -> Any:
    return convert(value, lambda tensor: tensor.detach().clone().requires_grad_())


def score(run: Run, value: Any, context: Any) -> Tensor:
    """A number in which every output and the log_det count, with unequal weights."""
    answer, log_det = run(value, context)
    values = flat(answer)
    weights = torch.linspace(0.5, 1.5, values.numel(), dtype=values.dtype).view_as(values)
    return (values * weights).sum() + (log_det * weights[:, 0]).sum()


@law("gradients")
def gradcheck(case: Case) -> None:
    """Gradients of values and log_dets by x and context against finite differences."""
    two = case.rows(slice(0, 2))
    for name, (run, value) in two.directions().items():
        inputs = as_tuple(_leaves(value))
        contexts = () if two.context is None else as_tuple(_leaves(two.context))

        def function(*tensors: Tensor, run: Run = run, count: int = len(inputs)) -> tuple[Tensor, Tensor]:
            context = unpack(tensors[count:]) if len(tensors) > count else None
            answer, log_det = run(unpack(tensors[:count]), context)
            return flat(answer), log_det

        try:
            torch.autograd.gradcheck(function, (*inputs, *contexts), fast_mode=True)
        except RuntimeError as error:
            raise LawBrokenError(f"{name}: {error}") from error


@law("parameter gradients")
def parameter_gradients(case: Case) -> None:
    """Every parameter gets a gradient that is finite, not zero, and right, from either direction."""
    if not any(parameter.requires_grad for parameter in case.layer.parameters()):
        return
    for name in ("forward", "inverse"):
        fresh = case.fresh()
        run, value = fresh.directions()[name]
        score(run, value, fresh.context).backward()
        for key, parameter in fresh.layer.named_parameters():
            if not parameter.requires_grad:
                continue
            gradient = parameter.grad
            require(gradient is not None, f"{name}: {key} gets no gradient")
            require(
                gradient is not None and gradient.isfinite().all(), f"{name}: gradient of {key} is not finite"
            )
            require(gradient is not None and gradient.any(), f"{name}: gradient of {key} is zero")
            _compare_with_difference(fresh, run, value, parameter, f"{name}: gradient of {key}")


@torch.no_grad()
def _compare_with_difference(case: Case, run: Run, value: Any, parameter: Tensor, what: str) -> None:
    """The derivative along the gradient's signs, against a central difference."""
    gradient = parameter.grad
    if gradient is None:
        return
    step = 1e-6
    direction = gradient.sign()
    start = parameter.detach().clone()
    ends = []
    for sign in (1, -1):
        parameter.copy_(start + sign * step * direction)
        ends.append(score(run, value, case.context))
    parameter.copy_(start)
    slope = (ends[0] - ends[1]) / (2 * step)
    require_close(gradient.abs().sum(), slope, 1e-4 * case.tolerance, what)


@law("reversible gradients")
def reversible(case: Case) -> None:
    """A chain with reversible memory gives the gradients of autograd: by x, parameters and context."""
    for name in ("forward", "inverse"):
        wanted, actual = _chain_gradients(case, name, "autograd"), _chain_gradients(case, name, "reversible")
        require(
            wanted.keys() == actual.keys(), f"{name}: gradients of {sorted(actual)}, not {sorted(wanted)}"
        )
        for key, gradient in wanted.items():
            require_close(actual[key], gradient, 1e-7 * case.tolerance, f"{name}: gradient of {key}")


def _chain_gradients(case: Case, name: str, memory: str) -> dict[str, Tensor]:
    fresh = case.fresh()
    value = _leaves(fresh.x if name == "forward" else fresh.y)
    context = _leaves(fresh.context)
    chain = Chain(fresh.layer, fresh.layer.inv, fresh.layer, memory=memory)
    run = chain.forward_and_log_det if name == "forward" else chain.inverse_and_log_det
    score(run, value, context).backward()
    named = {f"x{i}": tensor for i, tensor in enumerate(as_tuple(value))}
    named |= {f"context{i}": tensor for i, tensor in enumerate(as_tuple(context)) if tensor is not None}
    named |= dict(chain.named_parameters())
    return {key: tensor.grad for key, tensor in named.items() if tensor.grad is not None}
