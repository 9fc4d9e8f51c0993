"""Solving systems of equations, one for every row, by damped Newton steps."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.matrices.jacobian import RowMap, row_jacobian, row_norm
from preimage.functional.roots.found import Root, judged
from preimage.functional.visible import values_are_visible

_DAMPING = (1.0, 0.5, 0.25, 0.0625, 0.00390625)


@torch.no_grad()
def newton_system(
    function: RowMap,
    y: Tensor,
    start: Tensor,
    *,
    rate: float | Tensor = 1.0,
    steps: int = 100,
    traced_steps: int = 12,
) -> Root:
    r"""Solve :math:`f(x) = y` for every row by damped Newton steps with the full Jacobian.

    Each step tries the Newton direction at five lengths, and the plain step :math:`x + \rho\,(y - f(x))`, and
    takes what leaves the smallest residual. The residual never grows; it shrinks to zero for every map whose
    Jacobian stays away from singular ones, and at least as fast as the plain steps for x plus a contraction.

    Reference: Nocedal, Wright (2006), Numerical optimization, section 11.2,
    https://doi.org/10.1007/978-0-387-40065-5

    Args:
        function: f, see :data:`~preimage.functional.matrices.jacobian.RowMap`.
        y: ``(N, D)``.
        start: where to start, ``(N, D)``.
        rate: the factor :math:`\rho` of plain steps, positive.
        steps: the largest number of steps in eager mode, which stops as soon as nothing improves.
        traced_steps: the number of steps in compiled, exported and ``torch.func`` code.

    Returns:
        The roots, without gradients; :func:`refine` adds them.

    Cost: D + 7 evaluations and one linear system of size D a step; some 6 steps.

    Example:
        >>> y = torch.tensor([[2.0, 9.0]], dtype=torch.float64)
        >>> newton_system(lambda x: x**2, y, y).x
        tensor([[1.4142, 3.0000]], dtype=torch.float64)
    """
    y, x = y.detach(), start.detach()
    gap = y - function(x)  # (N, D)
    residual, count, going = row_norm(gap), 0, True
    while going and count < (steps if values_are_visible() else traced_steps):
        candidates = _newton_candidates(function, x, gap, rate)  # (6, N, D)
        gaps = y - function(candidates.flatten(0, 1)).view_as(candidates)
        sizes = row_norm(gaps.flatten(0, 1)).view(candidates.shape[:2]).nan_to_num(nan=torch.inf)
        smallest, best = sizes.min(0)  # (N,)
        better = (smallest < residual)[:, None]
        x, gap = torch.where(better, _take(candidates, best), x), torch.where(better, _take(gaps, best), gap)
        going = not values_are_visible() or bool((smallest < 0.9 * residual).any())
        residual = torch.fmin(smallest, residual) + 0 * residual  # NaN stays NaN
        count += 1
    return judged(x, y, residual, count)


def _newton_candidates(function: RowMap, x: Tensor, gap: Tensor, rate: float | Tensor) -> Tensor:
    step = torch.linalg.solve_ex(row_jacobian(function, x), gap[..., None])[0][..., 0]  # (N, D)
    damped = [x + factor * step for factor in _DAMPING]
    return torch.stack([*damped, x + rate * gap])


def _take(candidates: Tensor, index: Tensor) -> Tensor:
    """One of K candidates ``(K, N, D)`` for every row."""
    where = index[None, :, None].expand(1, *candidates.shape[1:])
    return torch.gather(candidates, 0, where)[0]


def refine(function: RowMap, y: Tensor, x: Tensor) -> Tensor:
    r"""Two Newton steps at a root, which autograd sees: the implicit function theorem.

    Derivatives of x by y, and by whatever f depends on, are right up to the third order.

    Reference: Gilbert (1992), Automatic differentiation and iterative processes,
    https://doi.org/10.1080/10556789208805503

    Args:
        function: f.
        y: ``(N, D)``, with its graph.
        x: a root ``(N, D)``, without one.

    Returns:
        x with its graph; x itself where gradients are switched off.

    Cost: 2 D + 2 evaluations, two linear systems of size D.

    Example:
        >>> y = torch.tensor([[4.0]], requires_grad=True)
        >>> refine(lambda x: x**2, y, torch.tensor([[2.0]])).backward()
        >>> y.grad
        tensor([[0.2500]])
    """
    if not torch.is_grad_enabled():
        return x
    for _ in range(2):
        gap = (y - function(x))[..., None]
        x = x + torch.linalg.solve_ex(row_jacobian(function, x), gap)[0][..., 0]
    return x
