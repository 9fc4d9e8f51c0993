"""Inverting increasing scalar functions elementwise: guaranteed, differentiable, in bounded time."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.roots.newton import WithSlope, newton_root
from preimage.functional.visible import values_are_visible


def monotone_root(
    function: WithSlope,
    y: Tensor,
    low: Tensor,
    high: Tensor,
    steps: int = 64,
    start: Tensor | None = None,
) -> Tensor:
    r"""Solve :math:`f(x) = y` elementwise for an increasing f, inside of a bracket that can only shrink.

    Newton steps where they stay inside the bracket and at least halve the step before, otherwise bisection
    of :math:`\operatorname{arsinh} x`, so that every magnitude is reached in a few steps. Eager code stops as
    soon as nothing moves; compiled code and ``torch.func`` run all steps.

    Derivatives come from two Newton steps at the root (the implicit function theorem), by y and by whatever
    the function depends on, up to the third order; nothing of the search is kept in memory. The bracket gets
    no gradient.

    Reference: Press, Teukolsky, Vetterling, Flannery (2007), Numerical Recipes, section 9.4,
    https://numerical.recipes; Gilbert (1992), Automatic differentiation and iterative processes,
    https://doi.org/10.1080/10556789208805503

    Args:
        function: gives f and its derivative, elementwise; infinite values are fine outside of the root.
        y: any shape.
        low, high: bracket with f(low) <= y <= f(high), the shape of y; see :func:`bracket` for one.
        steps: the largest number of steps of the search, before two Newton steps at the end. By bisection
            alone 64 reach any float64; fewer make compiled graphs smaller.
        start: where to begin, inside of the bracket; its middle by default.

    Returns:
        x, the shape of y; an end of the bracket where y lies outside, NaN where y or the bracket is NaN.

    Cost: about 8 evaluations where f is smooth, at most ``steps + 2``, as many as a compiled graph has.

    Example:
        >>> y = torch.tensor([1.0, 1e-6, 1e6], dtype=torch.float64)
        >>> cube = lambda x: (x**3, 3 * x**2)
        >>> monotone_root(cube, y, torch.zeros_like(y), torch.full_like(y, 1e9))
        tensor([1.0000e+00, 1.0000e-02, 1.0000e+02], dtype=torch.float64)
    """
    with torch.no_grad():
        low, high = low.detach(), high.detach()
        start = _middle(low, high) if start is None else start.detach()
        x, last_step = _search(function, y.detach(), low, high, start, steps)
        rounding = 4 * torch.finfo(x.dtype).eps * x.abs() + torch.finfo(x.dtype).tiny
        reach = 2 * last_step + rounding
    return newton_root(function, y, x, steps=0, reach=lambda _: reach)


def bracket(
    function: WithSlope, y: Tensor, centre: Tensor, width: float = 1.0, steps: int = 12
) -> tuple[Tensor, Tensor]:
    r"""Two numbers between which :math:`f(x) = y` has its solution, for an increasing f on the real line.

    Looks at distances :math:`w\,2^{2^k - 1}` from the centre, which reach every float32 in 8 and every
    float64 in 11 steps, and never further than needed.

    Reference: Bentley, Yao (1976), An almost optimal algorithm for unbounded searching,
    https://doi.org/10.1016/0020-0190(76)90071-5

    Args:
        function: gives f and its derivative, elementwise.
        y: any shape.
        centre: where to begin, the shape of y.
        width: the first distance w, positive.
        steps: the largest number of evaluations.

    Returns:
        low and high, the shape of y, without gradients; both NaN where no bracket was found, so that the
        answer of :func:`monotone_root` becomes NaN and not a wrong number.

    Cost: one evaluation for the side and one for every distance, 2 to 3 where the centre is good.

    Example:
        >>> low, high = bracket(lambda x: (x**3, 3 * x**2), torch.tensor([8e9]), torch.zeros(1))
        >>> low, high
        (tensor([128.]), tensor([32768.]))
    """
    with torch.no_grad():
        y, near = y.detach(), centre.detach()
        value = function(near)[0]
        above, found = value < y, value == y
        side = 2 * above.to(y.dtype) - 1
        far, limit = near, torch.finfo(y.dtype).max / 4
        for k in range(steps):
            distance = min(width * 2.0 ** min(2**k - 1, 1000), limit)
            candidate = centre.detach() + distance * side
            near, far = torch.where(found, near, far), torch.where(found, far, candidate)
            value = function(far)[0]
            found = found | torch.where(above, value >= y, value <= y)
            if values_are_visible() and bool((found | y.isnan()).all()):
                break
        lost = torch.where(found, torch.zeros_like(y), torch.full_like(y, torch.nan))
        return torch.minimum(near, far) + lost, torch.maximum(near, far) + lost


def _search(
    function: WithSlope, y: Tensor, low: Tensor, high: Tensor, start: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """The root to rounding, and the size of the last step that was made."""
    x, last, epsilon = start, high - low, torch.finfo(y.dtype).eps
    for _ in range(steps):
        value, slope = function(x)
        missing = y - value
        low, high = torch.where(missing >= 0, x, low), torch.where(missing <= 0, x, high)
        step = missing / slope
        newton, size = x + step, step.abs()
        settled = (missing.abs() <= epsilon * y.abs()) | (size <= 2 * epsilon * x.abs())
        good = (newton >= low) & (newton <= high) & (2 * size < last)
        new = torch.where(settled, x, torch.where(good, newton, _middle(low, high)))
        x, last = new, (new - x).abs()
        if values_are_visible() and bool((~(last > 0)).all()):
            break
    return x, last


def _middle(low: Tensor, high: Tensor) -> Tensor:
    """The mean on a scale that is linear near zero and logarithmic far away."""
    mean = torch.sinh(low.asinh() / 2 + high.asinh() / 2)
    return torch.minimum(torch.maximum(mean, low), high)
