"""Solving systems of equations, one for every row: damped Newton steps and accelerated fixed points."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from preimage.functional.jacobian import RowMap, row_jacobian, row_norm
from preimage.functional.visible import values_are_visible

_DAMPING = (1.0, 0.5, 0.25, 0.0625, 0.00390625)


class Root(NamedTuple):
    """What a solver found.

    Args:
        x: the best x that was seen ``(N, D)``, not differentiable.
        residual: ``|y - f(x)|`` over ``|x| + |y|``, ``(N,)``.
        converged: whether the residual is down to rounding, bool ``(N,)``.
        iterations: how many steps were made.
    """

    x: Tensor
    residual: Tensor
    converged: Tensor
    iterations: int


def rounding_level(dtype: torch.dtype) -> float:
    """The relative residual below which a root counts as found: a thousand rounding errors."""
    return 1000 * torch.finfo(dtype).eps


def root(x: Tensor, y: Tensor, residual: Tensor, iterations: int) -> Root:
    """Judge a candidate.

    Args:
        x: the candidate ``(N, D)``.
        y: what f(x) should be, ``(N, D)``.
        residual: ``|y - f(x)|``, ``(N,)``.
        iterations: how many steps were made.
    """
    scale = (row_norm(x) + row_norm(y)).clamp_min(torch.finfo(x.dtype).tiny)
    relative = residual / scale
    converged = (relative <= rounding_level(x.dtype)) & x.isfinite().all(1)
    return Root(x, relative, converged, iterations)


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
        function: f, see :data:`~preimage.functional.jacobian.RowMap`.
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
    return root(x, y, residual, count)


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


@torch.no_grad()
def anderson(
    function: RowMap,
    y: Tensor,
    start: Tensor,
    *,
    rate: float | Tensor = 1.0,
    memory: int = 6,
    steps: int = 2000,
    traced_steps: int = 60,
) -> Root:
    r"""Solve :math:`f(x) = y` by accelerated plain steps :math:`x + \rho\,(y - f(x))`, without derivatives.

    Anderson's method, safeguarded: where an accelerated point does not lower the residual, the next point is
    a plain step from the best one. If plain steps contract by the factor c, every two steps do so at least.

    Reference: Walker, Ni (2011), Anderson acceleration for fixed-point iterations,
    https://doi.org/10.1137/10078356X

    Args:
        function: f, see :data:`~preimage.functional.jacobian.RowMap`.
        y: ``(N, D)``.
        start: where to start, ``(N, D)``.
        rate: the factor :math:`\rho` of plain steps, positive.
        memory: number of earlier points that a step looks at.
        steps: the largest number of steps in eager mode, which stops when all rows are down to rounding or
            nothing has improved for 25 steps.
        traced_steps: the number of steps in compiled, exported and ``torch.func`` code.

    Returns:
        The roots, without gradients.

    Cost: one evaluation and O(memory * D) a step.

    Example:
        >>> y = torch.ones(1, 2, dtype=torch.float64)
        >>> found = anderson(lambda x: x + 0.9 * x.sin(), y, y)
        >>> found.converged, found.iterations < 30
        (tensor([True]), True)
    """
    search = _Anderson(function, y.detach(), start.detach(), rate, memory)
    count, going = 0, True
    while going and count < (steps if values_are_visible() else traced_steps):
        search.advance()
        going = not values_are_visible() or search.promising()
        count += 1
    return root(search.best, search.y, search.smallest / rate, count)


class _Anderson:
    """Where a search stands: the best point, its gap and norm, and the secants of the last points."""

    def __init__(self, function: RowMap, y: Tensor, start: Tensor, rate: float | Tensor, memory: int) -> None:
        self.function, self.y, self.rate, self.memory = function, y, rate, memory
        self.best, self.gap = start, rate * (y - function(start))  # (N, D)
        self.smallest = row_norm(self.gap)  # (N,)
        self.point, self.point_gap = self.best, self.gap
        self.failed = torch.zeros_like(self.smallest, dtype=torch.bool)
        self.moves: list[Tensor] = []
        self.changes: list[Tensor] = []
        self.stalled = 0

    def advance(self) -> None:
        """Try one point."""
        proposal = self._proposal()
        gap = self.rate * (self.y - self.function(proposal))
        size = row_norm(gap)
        self.moves = [*self.moves, proposal - self.point][-self.memory :]
        self.changes = [*self.changes, gap - self.point_gap][-self.memory :]
        self.point, self.point_gap = proposal, gap
        better = size < self.smallest
        self.failed = ~better
        self.best = torch.where(better[:, None], proposal, self.best)
        self.gap = torch.where(better[:, None], gap, self.gap)
        self.smallest = torch.where(better, size, self.smallest)

    def _proposal(self) -> Tensor:
        """The accelerated point, or a plain step in rows where the last one failed."""
        plain = self.best + self.gap
        if not self.moves:
            return plain
        faster = plain - _correction(torch.stack(self.moves, 2), torch.stack(self.changes, 2), self.gap)
        return torch.where((self.failed | ~faster.isfinite().all(1))[:, None], plain, faster)

    def promising(self) -> bool:
        """Whether another point may help: not all rows are exact, and something improved lately."""
        self.stalled = self.stalled + 1 if bool(self.failed.all()) else 0
        scale = row_norm(self.best) + row_norm(self.y)
        exact = self.smallest <= torch.finfo(self.y.dtype).eps * scale / 4
        return self.stalled < 25 and not bool((exact | self.smallest.isnan()).all())


def _correction(moves: Tensor, changes: Tensor, gap: Tensor) -> Tensor:
    """What the secants ``(N, D, m)`` of points and gaps say about the step from here."""
    tiny = torch.finfo(gap.dtype).tiny
    length = torch.linalg.vector_norm(changes, dim=1, keepdim=True).clamp_min(tiny)  # (N, 1, m)
    moves, changes = moves / length, changes / length
    gram = changes.mT @ changes  # (N, m, m)
    ridge = 10 * torch.finfo(gap.dtype).eps * torch.eye(gram.shape[-1], dtype=gap.dtype, device=gap.device)
    weights = torch.linalg.solve_ex(gram + ridge, changes.mT @ gap[..., None])[0]  # (N, m, 1)
    return ((moves + changes) @ weights)[..., 0]
