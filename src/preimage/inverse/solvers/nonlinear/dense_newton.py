"""Small nonlinear systems: Levenberg-Marquardt steps with the whole Jacobian written down."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.solvers.nonlinear.jacobian import Jacobian
from preimage.inverse.solvers.nonlinear.maps import Map
from preimage.inverse.solvers.nonlinear.samplewise import one_by_one

PROBE = 2**22
"""Most numbers in one batch of unit vectors."""

STEPS = 60
"""Most steps of one sample."""

REFUSALS = 4
"""How often the damping is raised by a factor of 100 before a sample is given up."""

SLOW, PATIENCE = 0.9, 4
"""So many steps in a row that lower the residual by less than a tenth end the search."""

LENGTHS = (1.0, 0.5, 0.25, 0.1, 0.03)
"""Parts of a step that are tried before the damping is raised."""


@torch.no_grad()
def dense_newton(
    f: Map, y: Tensor, start: Tensor, *, tolerance: float, steps: int = STEPS
) -> tuple[Tensor, Certificate]:
    """Find x near ``start`` with ``f(x) = y`` by steps ``(J'J + lambda I)^-1 J' (y - f(x))``.

    The damping starts at zero: pure Newton steps on a square system. A step that lowers the residual at none
    of a few lengths is refused and the damping raised; after a good step it is lowered. The least-squares
    problem is solved by a QR factorisation of J and the damping below it, so the condition number of J is not
    squared.

    Samples are solved one by one.

    Reference: Nocedal and Wright, Numerical Optimization (2006), section 10.3.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        tolerance: relative residual at which a sample is solved.
        steps: upper limit for each sample.

    Returns:
        x ``(N, *in)``, and a certificate with the steps used.

    Cost: a step takes as many products as the smaller of f's two sizes, and one factorisation.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = dense_newton(lambda x: x + 0.5 * x.sin(), y, y, tolerance=1e-6)
        >>> certificate.ok, bool((x + 0.5 * x.sin() - y).abs().max() < 1e-5)
        (True, True)
    """

    def solve(y: Tensor, start: Tensor) -> tuple[Tensor, int]:
        return _solve(f, y, start, tolerance, steps)

    stopped = "Newton's method stopped before it reached the tolerance"
    return one_by_one(f, y, start, tolerance, solve, stopped)


def _solve(f: Map, y: Tensor, start: Tensor, tolerance: float, steps: int) -> tuple[Tensor, int]:
    """One sample: x and the steps used."""
    x, damping, residual, slow = start, 0.0, y - f(start), 0
    limit = tolerance * (y.norm().item() or 1.0)
    for step in range(steps):
        size = residual.norm().item()
        if not size > limit:
            return x, step
        jacobian = jacobian_matrix(f, x)
        scale = jacobian.square().mean().item() * jacobian.shape[0]
        moved, refused = None, 0
        while moved is None and refused < REFUSALS:
            change = _change(jacobian, residual.flatten(), damping)
            moved = line_search(f, y, x, change.view_as(x), size)
            if moved is None:
                refused, damping = refused + 1, max(100 * damping, 1e-8 * scale)
        if moved is None:
            return x, step
        x, residual = moved
        slow = slow + 1 if residual.norm().item() > SLOW * size else 0
        if slow == PATIENCE:
            return x, step
        damping = 0.1 * damping if damping > 1e-9 * scale else 0.0
    return x, steps


def _change(jacobian: Tensor, residual: Tensor, damping: float) -> Tensor:
    wide, right = jacobian.double(), residual.double()[:, None]
    if damping == 0.0:
        return newton_step(wide, right)[:, 0].to(jacobian)
    below = damping**0.5 * torch.eye(wide.shape[1], dtype=wide.dtype, device=wide.device)
    q, r = torch.linalg.qr(torch.cat([wide, below]))
    right = torch.cat([right, right.new_zeros(wide.shape[1], 1)])
    return torch.linalg.solve_triangular(r, q.mT @ right, upper=True)[:, 0].to(jacobian)


def newton_step(jacobian: Tensor, residual: Tensor) -> Tensor:
    """The least change x with ``jacobian x = residual``, as nearly as can be; zero where that is singular.

    Rows of zeros, as of outputs behind a ReLU that is off, ask for nothing and are left out. What remains of
    a square system then has fewer equations than unknowns.

    Args:
        jacobian: ``(m, n)`` in float64.
        residual: what is missing, ``(m, k)``.
    """
    asked = (jacobian != 0).any(1)
    rows, right = jacobian[asked], residual[asked]
    if rows.shape[0] == rows.shape[1]:
        change, info = torch.linalg.solve_ex(rows, right)
        return torch.where(info == 0, change, 0.0)
    if rows.shape[0] > rows.shape[1]:
        return torch.linalg.lstsq(rows, right, driver="gelsd").solution
    q, r = torch.linalg.qr(rows.mT)
    change = q @ torch.linalg.solve_triangular(r.mT, right, upper=False)
    return torch.where(change.isfinite().all(), change, 0.0)


def line_search(f: Map, y: Tensor, x: Tensor, change: Tensor, size: float) -> tuple[Tensor, Tensor] | None:
    """A part of the change that lowers ``|y - f(x)|`` below ``size``: the new x and what is missing there."""
    for length in LENGTHS:
        trial = x + length * change
        residual = y - f(trial)
        if residual.norm().item() < (1 - 1e-3 * length) * size:
            return trial, residual
    return None


def condition_at(f: Map, x: Tensor) -> float:
    """Condition number of the Jacobian of f at one sample ``(1, *in)``."""
    values = torch.linalg.svdvals(jacobian_matrix(f, x).double())
    return (values[0] / values[-1].clamp_min(1e-300)).item()


def jacobian_matrix(f: Map, x: Tensor) -> Tensor:
    """The Jacobian of f at one sample ``(1, *in)``, ``(out, in)``, in batches of unit vectors.

    Cost: as many products as f has outputs, or inputs where those are fewer.
    """
    value = f(x)
    outputs, inputs = value.numel(), x.numel()
    pulls = outputs <= inputs
    columns = _pulled if pulls else _pushed
    count = min(outputs, inputs)
    unit = torch.eye(count, dtype=x.dtype, device=x.device)
    batch = max(1, PROBE // max(outputs, inputs))
    matrix = torch.cat([columns(f, x, part, value.shape[1:]) for part in unit.split(batch)])
    return matrix if pulls else matrix.T


def _pulled(f: Map, x: Tensor, units: Tensor, shape: torch.Size) -> Tensor:
    """J' u for unit vectors of the outputs, ``(units, in)``."""
    with torch.enable_grad():
        point = x.expand(len(units), *x.shape[1:]).detach().requires_grad_()
        value = f(point)
        if not value.requires_grad:
            return x.new_zeros(len(units), x.numel())
        (product,) = torch.autograd.grad(value, point, units.view(-1, *shape), materialize_grads=True)
    return product.flatten(1)


def _pushed(f: Map, x: Tensor, units: Tensor, _: torch.Size) -> Tensor:
    """J u for unit vectors of the inputs, ``(units, out)``."""
    jacobian = Jacobian(f, x.expand(len(units), *x.shape[1:]))
    return jacobian.push(units.view(-1, *x.shape[1:])).flatten(1)
