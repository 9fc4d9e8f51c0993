"""Functions without a derivative of their own, for the searches that want one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.functional.roots.newton import WithSlope

Scalar = Callable[[Tensor], Tensor]


def with_slope(function: Scalar) -> WithSlope:
    """An elementwise function together with its derivative by autograd, both without gradients.

    Args:
        function: elementwise and differentiable.

    Returns:
        x to f(x) and f'(x), each of the shape of x.

    Cost: one evaluation and one backward pass.

    Example:
        >>> with_slope(torch.exp)(torch.zeros(1))
        (tensor([1.]), tensor([1.]))
    """

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = function(x)
            (slope,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), slope

    return both
