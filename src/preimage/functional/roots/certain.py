"""The root of an increasing function, or NaN: never a number that is not the root."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.roots.monotone import monotone_root
from preimage.functional.roots.newton import WithSlope

STEPS = 64
"""Bisection alone reaches any float64 in so many."""
COMPILED_STEPS = 16
"""For compiled code, which runs all of them; Newton steps mostly need 6. What they miss becomes NaN."""


def certain_root(function: WithSlope, y: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    r"""Solve :math:`f(x) = y` elementwise for an increasing f, and check the answer.

    The search is that of :func:`~preimage.functional.roots.monotone_root`, with implicit gradients.
    An answer becomes NaN, and so does its slope, if its image differs from y by more than rounding explains,
    or if f is so flat that rounding y moves it by more than a hundredth of its size (or of 1).

    Reference: Press, Teukolsky, Vetterling, Flannery (2007), Numerical Recipes, section 9.4,
    https://numerical.recipes

    Args:
        function: gives f and its derivative, elementwise.
        y: any shape.
        low, high: bracket with f(low) <= y <= f(high), the shape of y.

    Returns:
        x and the derivative of f there, the shape of y.

    Cost: about 9 evaluations where f is smooth, at most 67; 19 in compiled code.

    Example:
        >>> cube = lambda x: (x**3, 3 * x**2)
        >>> y = torch.tensor([8.0, 1e9], dtype=torch.float64)
        >>> certain_root(cube, y, torch.zeros_like(y), torch.full_like(y, 10.0))[0]  # 1e9 is out of reach
        tensor([2., nan], dtype=torch.float64)
    """
    steps = COMPILED_STEPS if torch.compiler.is_compiling() else STEPS
    x = monotone_root(function, y, low, high, steps=steps)
    value, slope = function(x)
    with torch.no_grad():
        epsilon, size = torch.finfo(y.dtype).eps, 1 + x.abs()
        found = (value - y).abs() <= 1000 * epsilon * (y.abs() + slope * size + 1)
        determined = 4 * epsilon * y.abs() <= 0.01 * slope * size
        doubt = torch.where(found & determined, 0.0, torch.nan).to(y.dtype)
    return x + doubt, slope + doubt
