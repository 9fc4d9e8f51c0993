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


def fixed_point_sweeps(sweep: Sweep, start: Tensor, passes: int, rounding: float = 0.0) -> Swept:
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
        rounding: a row is finished as well when its largest change is at most this many rounding errors of
            its largest number, and no longer halves from sweep to sweep: the last digits may flicker for many
            sweeps more. 0 for answers equal to the last digit.

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
        x, extra, sweeps = _until_settled(sweep, start.detach(), passes, rounding)
    if not torch.is_grad_enabled():
        return Swept(x, extra, sweeps)
    image, beside = sweep(_calm(x))
    if not (image.requires_grad or beside.requires_grad):
        return Swept(x, extra, sweeps)
    seen = _calm(x).requires_grad_()
    attached = _TriangularSolve.apply(image, _Twin(sweep(seen)[0], seen), passes, rounding)
    return Swept(*sweep(_calm(attached)), sweeps)


def _all_sweeps(sweep: Sweep, start: Tensor, passes: int) -> Swept:
    x, extra = sweep(_calm(start))
    for _ in range(passes - 1):
        x, extra = sweep(_calm(x))
    return Swept(x, extra, torch.full(start.shape[:1], passes, device=start.device))


def _until_settled(
    sweep: Sweep, start: Tensor, passes: int, rounding: float
) -> tuple[Tensor, Tensor, Tensor]:
    sweeps = torch.zeros(start.shape[0], dtype=torch.long, device=start.device)
    x, extra, watch = start, start, _Watch(start, rounding)
    for _ in range(max(passes, 1)):
        new, extra = sweep(_calm(x))
        moving = watch.still_moving(x, new)
        sweeps += moving
        x = new
        if not moving.any():
            break
    return x, extra, sweeps


class _Watch:
    """Which rows still change, by more than the flicker of their last digits."""

    def __init__(self, like: Tensor, rounding: float) -> None:
        self.tolerance = rounding * torch.finfo(like.dtype).eps
        self.change = like.new_full((like.shape[0],), torch.inf)
        self.moving = torch.ones(like.shape[0], dtype=torch.bool, device=like.device)

    def still_moving(self, old: Tensor, new: Tensor) -> Tensor:
        """Bool ``(N,)``; a row that has come to rest stays at rest."""
        same = (new == old) | (new.isnan() & old.isnan())
        change = torch.where(same, 0.0, (new - old).abs()).flatten(1).amax(1)
        flickers = (change <= self.tolerance * _calm(new).abs().flatten(1).amax(1)) & (
            change > self.change / 2
        )
        self.change = change
        self.moving = self.moving & ~((change == 0) | flickers)
        return self.moving


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
    def forward(ctx: Any, image: Tensor, twin: _Twin, passes: int, rounding: float) -> Tensor:
        ctx.twin, ctx.passes, ctx.rounding = twin, passes, rounding
        return image.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        twin: _Twin = ctx.twin
        (gradient,) = gradients
        solved, watch = gradient, _Watch(gradient, ctx.rounding)
        for _ in range(ctx.passes - 1):
            (fed_back,) = torch.autograd.grad(
                twin.image, twin.seen, solved, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            new = gradient + fed_back
            moving = watch.still_moving(solved, new)
            solved = new
            if not moving.any():
                break
        return solved, None, None, None
