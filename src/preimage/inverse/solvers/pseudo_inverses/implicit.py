"""Derivatives of a pseudo-inverse without differentiating its factorisation: a few more solves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.inverse.linear.base import Shape

Function = Callable[[Tensor], Tensor]


def with_derivatives(f: Function, solve: Function, y: Tensor, x: Tensor, *, in_shape: Shape) -> Tensor:
    """The value of x = A+ (y - b), carrying its first derivatives by y and by the parameters of f.

    With r = y - A x - b, v = (A+)' x and P = A+, the differential is
    ``P (dy - dA x - db) + P P' dA' r + (I - P A) dA' v``; constants r and v are computed once, and the rest
    is written as one expression whose value vanishes.

    Reference: Golub and Pereyra (1973), https://doi.org/10.1137/0710036.

    Args:
        f: the affine map x -> A x + b, differentiable in x and in its parameters.
        solve: z -> A+ z, linear and differentiable in z (twice, through its own transpose).
        y: ``(N, *out)``.
        x: A+ (y - b), ``(N, *in)``, as computed without gradients.
        in_shape: event shape of x.

    Returns:
        A tensor equal to x up to rounding; first derivatives only.

    Cost: forward one more evaluation and four solves, backward the same.
    """
    x = x.detach()
    back = Transposed(f, in_shape)
    image = f(x)
    residual = (y - image).detach()  # what no x explains
    seen = transposed(solve, x, y.shape[1:])  # v = (A+)' x
    moved = y - image
    answer = x + solve(moved - moved.detach())
    explained = _without_value(back(residual))
    answer = answer + solve(transposed(solve, explained, y.shape[1:]))
    unseen = _without_value(back(seen.detach()))
    return answer + unseen - solve(f(unseen) - f(torch.zeros_like(x)))


def transposed(solve: Function, x: Tensor, out_shape: Shape | torch.Size) -> Tensor:
    """(A+)' x, from the derivative of the linear function ``solve``; differentiable in x."""
    with torch.enable_grad():
        z = torch.zeros(x.shape[0], *out_shape, dtype=x.dtype, device=x.device, requires_grad=True)
        (answer,) = torch.autograd.grad(solve(z), z, x, create_graph=x.requires_grad)
    return answer


class Transposed:
    """v -> A' v for an affine function, differentiable in the parameters of A.

    Args:
        f: x -> A x + b.
        in_shape: event shape of x.
    """

    def __init__(self, f: Function, in_shape: Shape) -> None:
        self._f, self._shape = f, in_shape

    def __call__(self, v: Tensor) -> Tensor:
        """A' v."""
        with torch.enable_grad():
            x = torch.zeros(v.shape[0], *self._shape, dtype=v.dtype, device=v.device, requires_grad=True)
            (answer,) = torch.autograd.grad(self._f(x), x, v, create_graph=True)
        return answer


def _without_value(x: Tensor) -> Tensor:
    """Zero, with the derivatives of x."""
    return x - x.detach()
