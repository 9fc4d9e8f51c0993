"""Newton's method for single numbers, differentiable and without a data-dependent number of steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WithSlope = Callable[[Tensor], tuple[Tensor, Tensor]]
Reach = Callable[[Tensor], Tensor]


def anywhere(x: Tensor) -> Tensor:
    """No limit to a step."""
    return torch.full_like(x, torch.inf)


def newton_root(
    function: WithSlope, y: Tensor, start: Tensor, steps: int = 6, reach: Reach = anywhere
) -> Tensor:
    r"""Solve :math:`f(x) = y` elementwise by Newton steps from a good start.

    The last two steps alone are seen by autograd. Newton's method converges as fast for power series as for
    numbers, so that derivatives of x by y, and by whatever the function depends on, are right up to the third
    order, at the cost of two steps. Elements where the slope is zero do not move and get no gradient.

    Reference: Gilbert (1992), Automatic differentiation and iterative processes,
    https://doi.org/10.1080/10556789208805503

    Args:
        function: gives f and its derivative, elementwise.
        y: any shape.
        start: where to start, the shape of y: close enough for plain Newton steps to converge.
        steps: number of steps before the last two.
        reach: the largest step allowed from x. Where the slope of f vanishes, rounding alone makes large
            steps: give the distance from that point.

    Returns:
        x, the shape of y. Whether the steps converged is for a forward pass to show.

    Cost: ``steps + 2`` evaluations.

    Example:
        >>> y = torch.tensor([2.0, 9.0], dtype=torch.float64)
        >>> newton_root(lambda x: (x * x, 2 * x), y, y)
        tensor([1.4142, 3.0000], dtype=torch.float64)
    """
    x = start.detach()
    with torch.no_grad():
        for _ in range(steps):
            x = _step(function, y, x, reach)
    for _ in range(2):
        x = _step(function, y, x, reach)
    return x


def _step(function: WithSlope, y: Tensor, x: Tensor, reach: Reach) -> Tensor:
    value, slope = function(x)
    flat = slope == 0
    step = (value - y) / torch.where(flat, torch.ones_like(slope), slope)
    step = torch.where(flat, torch.zeros_like(step), step)
    limit = reach(x)
    too_far = step - torch.maximum(torch.minimum(step, limit), -limit)
    return x - (step - too_far.detach())  # the derivative stays that of a full step
