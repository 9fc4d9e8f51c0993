"""Inverting an increasing scalar function elementwise, with a bracket that can only shrink."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Scalar = Callable[[Tensor], Tensor]


def invert_increasing(function: Scalar, y: Tensor, low: Tensor, high: Tensor, iterations: int = 80) -> Tensor:
    """Solve f(x) = y for an increasing f by Newton steps; where they leave the bracket, by bisection.

    Reference: Press, Teukolsky, Vetterling and Flannery (2007), Numerical Recipes, section 9.4.

    Args:
        function: elementwise and increasing on the bracket.
        y: any shape.
        low, high: bracket with f(low) <= y <= f(high), the shape of y.
        iterations: at most this many evaluations; 80 bisections exhaust float64.

    Returns:
        x, the shape of y; an end of the bracket where y lies outside.

    Cost:
        One evaluation and derivative of f each iteration; stops when nothing moves.

    Example:
        >>> import torch
        >>> x = invert_increasing(torch.exp, torch.tensor([1.0]), torch.tensor([-9.0]), torch.tensor([9.0]))
        >>> x.abs().item() < 1e-6
        True
    """
    x = (low + high) / 2
    for _ in range(iterations):
        value, slope = _with_slope(function, x)
        below = value < y
        low, high = torch.where(below, x, low), torch.where(below, high, x)
        newton = x - (value - y) / slope
        inside = (newton > low) & (newton < high)
        new = torch.where(inside, newton, (low + high) / 2)
        if torch.equal(new, x):
            break
        x = new
    return x


def _with_slope(function: Scalar, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = function(x)
        (slope,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), slope
