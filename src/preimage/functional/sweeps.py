"""Solving autoregressive systems by parallel sweeps, with exact gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from preimage.functional.visible import values_are_visible

Sweep = Callable[[Tensor], tuple[Tensor, Tensor]]


class Swept(NamedTuple):
    """A fixed point.

    Args:
        x: the fixed point ``(N, ...)``.
        extra: what the sweep gave beside it.
        sweeps: how many sweeps changed each row, int ``(N,)``.
    """

    x: Tensor
    extra: Tensor
    sweeps: Tensor


def fixed_point_sweeps(sweep: Sweep, start: Tensor, passes: int) -> Swept:
    r"""Solve :math:`x = F(x)` where each feature of F(x) depends on earlier features of x only.

    All features are updated at once. After k sweeps the first k generations of features are those of solving
    one after the other, whatever the start was; so ``passes`` sweeps suffice, and a row which a sweep leaves
    unchanged is finished. Eager code stops there; compiled code and ``torch.func`` run all sweeps.

    The gradient solves the transposed system by sweeps of the same kind in the backward pass, which keeps one
    sweep in memory and not all of them. Second derivatives need ``torch.func``.

    Reference: Song, Meng, Liao, Ermon (2021), Accelerating feedforward computation via parallel nonlinear
    equation solving, https://arxiv.org/abs/2002.03629

    Args:
        sweep: F, which also gives something else of its last argument, such as log-slopes.
        start: where to begin, ``(N, ...)``; it does not change the answer.
        passes: the number of generations of features.

    Returns:
        The fixed point, what F gives beside it, and the number of sweeps of each row.

    Cost: at most ``passes`` evaluations of F and often far fewer; three more where gradients may be wanted.

    Example:
        >>> shift = lambda x: (torch.cat([torch.ones(1, 1), 2 * x[:, :-1]], dim=1), x)
        >>> found = fixed_point_sweeps(shift, torch.zeros(1, 4), passes=4)
        >>> found.x, found.sweeps
        (tensor([[1., 2., 4., 8.]]), tensor([4]))
    """
    if not values_are_visible():
        return _all_sweeps(sweep, start, passes)
    with torch.no_grad():
        x, extra, sweeps = _until_settled(sweep, start.detach(), passes)
    if not torch.is_grad_enabled():
        return Swept(x, extra, sweeps)
    image, beside = sweep(_calm(x))
    if not (image.requires_grad or beside.requires_grad):
        return Swept(x, extra, sweeps)
    seen = _calm(x).requires_grad_()
    attached = _TriangularSolve.apply(image, _Twin(sweep(seen)[0], seen), passes)
    return Swept(*sweep(_calm(attached)), sweeps)


def _all_sweeps(sweep: Sweep, start: Tensor, passes: int) -> Swept:
    x, extra = sweep(_calm(start))
    for _ in range(passes - 1):
        x, extra = sweep(_calm(x))
    return Swept(x, extra, torch.full(start.shape[:1], passes, device=start.device))


def _until_settled(sweep: Sweep, start: Tensor, passes: int) -> tuple[Tensor, Tensor, Tensor]:
    sweeps = torch.zeros(start.shape[0], dtype=torch.long, device=start.device)
    x, extra = start, start
    for _ in range(max(passes, 1)):
        new, extra = sweep(_calm(x))
        moved = ~((new == x) | (new.isnan() & x.isnan())).flatten(1).all(1)
        sweeps += moved
        x = new
        if not moved.any():
            break
    return x, extra, sweeps


def _calm(x: Tensor) -> Tensor:
    """Features on the way may overflow; as zeros they do no harm to earlier ones through masks."""
    return torch.where(x.isfinite(), x, torch.zeros_like(x))


class _Twin(NamedTuple):
    """F(x) once more, as a function of ``seen`` alone."""

    image: Tensor
    seen: Tensor


class _TriangularSolve(torch.autograd.Function):
    """Passes F(x) on; its gradient is that of the fixed point, by sweeps of products with the Jacobian."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, twin: _Twin, passes: int) -> Tensor:
        ctx.twin, ctx.passes = twin, passes
        return image.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        twin: _Twin = ctx.twin
        (gradient,) = gradients
        solved = gradient
        for _ in range(ctx.passes - 1):
            (fed_back,) = torch.autograd.grad(
                twin.image, twin.seen, solved, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            new = gradient + fed_back
            if torch.equal(new, solved):
                break
            solved = new
        return solved, None, None
