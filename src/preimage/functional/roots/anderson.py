"""Fixed points of maps of rows, by accelerated steps."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.matrices.jacobian import RowMap, row_norm
from preimage.functional.roots.found import Root, judged
from preimage.functional.visible import values_are_visible


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
        function: f, see :data:`~preimage.functional.matrices.jacobian.RowMap`.
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
    return judged(search.best, search.y, search.smallest / rate, count)


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
