"""Square nonlinear systems on a map of places: Newton's method, started again with a few places changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.solvers.nonlinear.dense_newton import jacobian_matrix, line_search, newton_step
from preimage.inverse.solvers.nonlinear.maps import Map
from preimage.inverse.solvers.nonlinear.samplewise import one_by_one

Step = Callable[[Tensor, Tensor], Tensor]

RESTARTS, STEPS = 40, 15
"""Most searches of one sample after the first one, and most Newton steps of each."""

WIDTHS, STRENGTHS = (1, 2), (0.3, 1.0)
"""Places along each axis that are changed at once, and by how much, relative to the spread of the start."""

ANYWHERE = 0.02
"""Share of the restarts that change a place without regard to its residual."""

PATIENCE, LOOSE = 10, 1.5
"""Every so many restarts a search may also end at a residual that is so much larger."""


@torch.no_grad()
def local_restarts(
    f: Map, y: Tensor, start: Tensor, *, tolerance: float, restarts: int = RESTARTS, step: Step | None = None
) -> tuple[Tensor, Certificate]:
    """Find x with ``f(x) = y`` where Newton's method from the start ends at a fold.

    A residual block of convolutions is local: what is wrong when Newton's method stops sits at one or two
    places of the map, where the Jacobian turns singular, and the rest of the answer is good. So x is changed
    at such a place alone, by normal numbers, and Newton's method runs again on the whole; the change is kept
    where it ends at a smaller residual. Places are drawn in proportion to their squared residual. The draws
    are the same at every call. Samples are solved one by one; where several solutions exist, any of them may
    be found.

    Reference: Lourenco, Martin and Stutzle (2003), Iterated local search,
    https://doi.org/10.1007/0-306-48056-5_11.

    Args:
        f: a differentiable map ``(N, *event) -> (N, *out)`` with as many numbers out as in, rows independent,
            whose outputs lie at the place of the inputs that they mostly depend on, such as ``x + g(x)``.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, C, *places)``; an event of one axis is a single place.
        tolerance: relative residual at which a sample is solved.
        restarts: upper limit for each sample.
        step: from one sample's x and what is missing there, ``(1, *event)`` and ``(1, *out)``, to the Newton
            step ``J^-1 miss``, where f has structure; otherwise the whole Jacobian is written down.

    Returns:
        x ``(N, *event)``, and a certificate with the Newton steps used.

    Cost: at most 15 Newton steps a restart, each a Jacobian and its factorisation, ``n^3`` for n unknowns,
    unless ``step`` knows better; ten restarts are usual.

    Example:
        >>> y = torch.tensor([[[2.0, 0.5, -1.0]]])
        >>> x, certificate = local_restarts(lambda x: x + 3 * x.sin(), y, y, tolerance=1e-6)
        >>> certificate.ok, bool((x + 3 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """

    def solve(y: Tensor, start: Tensor) -> tuple[Tensor, int]:
        search = _Search(f, step or partial(_dense_step, f), y, tolerance)
        return _best(search, start, restarts), search.steps

    return one_by_one(f, y, start, tolerance, solve, "no restart of Newton's method reached the tolerance")


def _dense_step(f: Map, x: Tensor, miss: Tensor) -> Tensor:
    return newton_step(jacobian_matrix(f, x).double(), miss.double().view(-1, 1)).view_as(x).to(x)


@final
class _Search:
    """Newton's method with a line search for one sample."""

    def __init__(self, f: Map, step: Step, y: Tensor, tolerance: float) -> None:
        self.f, self.y, self._step, self.steps = f, y, step, 0
        self.limit = tolerance * (y.norm().item() or 1.0)

    def down(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Where the steps from x end, and what is missing there."""
        miss = self.y - self.f(x)
        for _ in range(STEPS):
            if not self.limit < miss.norm().item() < float("inf"):
                break
            moved = line_search(self.f, self.y, x, self._step(x, miss), miss.norm().item())
            if moved is None:
                break
            (x, miss), self.steps = moved, self.steps + 1
        return x, miss


def _best(search: _Search, start: Tensor, restarts: int) -> Tensor:
    """The x of the smallest residual that the restarts reach."""
    generator = torch.Generator().manual_seed(0)
    spread = (start.std(correction=0) if start.numel() > 1 else start.abs().sum()).item() or 1.0
    x, miss = best, least = search.down(start)
    for restart in range(restarts):
        if not search.limit < least.norm().item() < float("inf"):
            break
        strength = spread * STRENGTHS[restart % len(STRENGTHS)]
        trial, left = search.down(x + strength * _noise(miss.view_as(x), generator))
        loose = LOOSE if restart % PATIENCE == PATIENCE - 1 else 1.0
        if left.norm() < loose * miss.norm():
            x, miss = trial, left
        if miss.norm() < least.norm():
            best, least = x, miss
    return best


def _noise(miss: Tensor, generator: torch.Generator) -> Tensor:
    """Normal numbers in a window around a place with a large residual, zero elsewhere, ``(1, *event)``."""
    noise = torch.randn(miss.shape, generator=generator, dtype=torch.float64).to(miss)
    width = WIDTHS[int(torch.randint(len(WIDTHS), (), generator=generator))]
    for axis, place in enumerate(_place(miss, generator), 2):
        size = miss.shape[axis]
        first = min(place, max(0, size - width))
        outside = torch.ones(size, dtype=torch.bool, device=miss.device)
        outside[first : first + width] = False
        noise = noise.index_fill(axis, outside.nonzero()[:, 0], 0.0)
    return noise


def _place(miss: Tensor, generator: torch.Generator) -> list[int]:
    """A place, drawn in proportion to its squared residual: one index for every axis behind the channels."""
    weight = miss.double().cpu().square().sum(1)[0] if miss.dim() > 2 else miss.new_ones(()).cpu().double()
    share = weight / weight.sum() + ANYWHERE / weight.numel()
    index = int(torch.multinomial(share.flatten(), 1, generator=generator))
    return [int(i) for i in torch.unravel_index(torch.tensor(index), weight.shape)] if weight.dim() else []
