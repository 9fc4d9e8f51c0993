"""Regions without a rule of their own, solved as equations: residual blocks, gates, anything else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.equation import Equation, equation_of
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.moments import moments_of_samples
from preimage.inverse.smooth import is_spatial, smooth_metric, textured_start
from preimage.inverse.solvers.nonlinear.continuation import continuation
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton, jacobian_matrix
from preimage.inverse.solvers.nonlinear.gauss_newton import Effort, gauss_newton
from preimage.inverse.solvers.nonlinear.jacobian import Jacobian
from preimage.inverse.solvers.nonlinear.local_restarts import local_restarts
from preimage.inverse.solvers.nonlinear.quasi_newton import quasi_newton
from preimage.inverse.solvers.nonlinear.samplewise import Found, better_of, each

SMALL = 100_000
"""Numbers in a region up to which it is solved thoroughly."""

WRITTEN, PROBED, FINISHING = 1024, 128, 30
"""Most unknowns of a Jacobian that is written down, and of one that is written down again to look for a
second solution; most Newton steps with it. Starts that end well are slow for ten steps or more, then fast."""

PATH, RESTARTS = 12, 20
"""Most steps of continuation for one sample of a residual block, and most local restarts after them."""

CHEAP, STARTS, NEARLY = 100, 12, 100.0
"""Most unknowns for which other starts are tried, how many, and above how many times the tolerance."""

THOROUGH, BRIEF, ROUGH = 400, 24, 10
"""Jacobian products for a small region, a large one, and a large one behind which information was lost, so
that no amount of work makes the answer exact. ``Inverse.solve`` spends more."""


@register_inverse("preimage::residual", guarantee=Guarantee.ITERATIVE)
def residual(site: Site, y: Tensor) -> Solved:
    """x + g(x) = y by damped Gauss-Newton steps from x = y; a small block by continuation where they fail."""
    rows = _known_rows(site, y)
    return _solve(site, rows, rows.reshape(rows.shape[0], *site.event))


@register_inverse("preimage::opaque", guarantee=Guarantee.OPAQUE)
def opaque(site: Site, y: Tensor) -> Solved:
    """f(x) = y by damped Gauss-Newton steps from the prior mean."""
    return _solve(site, _known_rows(site, y), None)


def _known_rows(site: Site, y: Tensor) -> Tensor:
    """The known values with one row a sample; several already are side by side."""
    return site.to_samples(site.target, y) if len(site.targets) <= 1 else y


def _solve(site: Site, y: Tensor, first: Tensor | None) -> Solved:
    known = {name: value for name, value in site.values.items() if name != site.source}
    equation, trusted = equation_of(site, _inside(site, known)), site.noise == 0.0
    effort = Effort(default_tolerance(y.dtype), _products(site, trusted=trusted))
    if not trusted and first is None and is_spatial(site.event):
        metric = smooth_metric(site.event, y)
        begin = textured_start(moments_of_samples(site, y)[0], metric)
        x, certificate = quasi_newton(
            equation.inner, y, begin, effort=effort, metric=metric, misfit=equation.misfit
        )
        if certificate.residual.isfinite().all() and is_small(x, y):
            x, certificate = finished(equation, y, (x, begin), certificate, effort.tolerance)
    else:
        begin = start(site, y, equation) if first is None else first
        x, certificate = gauss_newton(equation.inner, y, begin, effort=effort, misfit=equation.misfit)
        if trusted and not certificate.ok and is_small(x, y):
            x, certificate = finished(equation, y, (x, begin), certificate, effort.tolerance)

    def answer(x: Tensor, certificate: Certificate) -> Solved:
        square = math.prod(site.event) <= y[0].numel()
        unique = trusted and certificate.ok and square and is_unique(equation, y, x, effort.tolerance)
        found = site.from_samples(site.source, x.detach())
        evidence = certificate if trusted else lenient(certificate, NEARLY * effort.tolerance)
        return Solved(found, certificate=evidence, exact=1.0 if unique else 0.0)

    solved = answer(x, certificate)
    if first is None or not trusted or certificate.ok or not is_small(x, y):
        return solved
    longer = partial(continued, equation, y, (x, first), certificate, effort.tolerance)
    return replace(solved, more=lambda: answer(*longer()))


def lenient(certificate: Certificate, tolerance: float) -> Certificate:
    """The same evidence judged by a larger tolerance: values that were solved for carry errors of their own.

    Args:
        certificate: evidence of a search.
        tolerance: relative residual at which a sample is solved.
    """
    converged = certificate.converged | (certificate.residual <= tolerance)
    message = "" if bool(converged.all()) else certificate.message
    return replace(certificate, converged=converged, message=message)


def is_small(x: Tensor, y: Tensor) -> bool:
    """Whether the Jacobian of one sample may be written down."""
    return min(x[0].numel(), y[0].numel()) <= WRITTEN and max(x[0].numel(), y[0].numel()) <= 4 * WRITTEN


def finished(
    equation: Equation,
    y: Tensor,
    starts: tuple[Tensor, ...],
    certificate: Certificate,
    tolerance: float,
) -> tuple[Tensor, Certificate]:
    """The samples that matrix-free steps left unsolved, with the whole Jacobian, from start after start.

    Args:
        equation: the region.
        y: its values ``(N, *out)``.
        starts: the answer so far, and other guesses, ``(N, *in)`` each.
        certificate: evidence of the answer so far.
        tolerance: relative residual at which a sample is solved.
    """
    found = starts[0], certificate
    steps = FINISHING if starts[0][0].numel() <= CHEAP else FINISHING // 2
    for number, start in enumerate((*starts, *other_starts(starts[0], y))):
        left = _left(found[1])
        if number >= len(starts):  # what is nearly solved wants digits, not another start
            left = left[found[1].residual[left] > NEARLY * tolerance]
        if not len(left):
            break

        def newton(i: int, start: Tensor = start) -> Found:
            row = y[i : i + 1]
            seen = equation.seen_from(row)
            return dense_newton(seen, row, start[i : i + 1], tolerance=tolerance, steps=steps)

        found = better_of(found, left, each(newton, left))
    return found


def continued(
    equation: Equation,
    y: Tensor,
    found: tuple[Tensor, Tensor],
    certificate: Certificate,
    tolerance: float,
) -> tuple[Tensor, Certificate]:
    """The samples of a residual block that Newton's method left unsolved, along the path from x = y.

    What that leaves unsolved gets local restarts.

    Args:
        equation: the region, ``x + g(x)``, perhaps clipped.
        y: its values ``(N, *out)``.
        found: the answer so far, and where the path starts, ``(N, *in)`` each.
        certificate: evidence of the answer so far.
        tolerance: relative residual at which a sample is solved.
    """
    x, start = found
    left = _left(certificate)
    if not len(left) or x[0].numel() != y[0].numel():
        return x, certificate

    def path(i: int) -> Found:
        row = y[i : i + 1]
        return continuation(equation.seen_from(row), row, start[i : i + 1], tolerance=tolerance, steps=PATH)

    x, certificate = better_of((x, certificate), left, each(path, left))
    left = _left(certificate)
    if not len(left):
        return x, certificate

    def restarts(i: int) -> Found:
        row = y[i : i + 1]
        return local_restarts(
            equation.seen_from(row), row, x[i : i + 1], tolerance=tolerance, restarts=RESTARTS
        )

    return better_of((x, certificate), left, each(restarts, left))


def _left(certificate: Certificate) -> Tensor:
    """Samples that are not solved, and that numbers could solve, int ``(K,)``."""
    return (~certificate.converged & certificate.residual.isfinite()).nonzero()[:, 0]


def other_starts(x: Tensor, y: Tensor) -> list[Tensor]:
    """Normal numbers of the size of x, where a Jacobian is cheap and y decides x; the same at every call."""
    if x[0].numel() > CHEAP or y[0].numel() < x[0].numel():
        return []
    generator = torch.Generator().manual_seed(x[0].numel())
    mean, spread = x.flatten(1).mean(1), x.flatten(1).std(1)
    shape = (-1, *[1] * (x.dim() - 1))
    noise = torch.randn(STARTS, *x.shape, generator=generator, dtype=torch.float64).to(x)
    return [mean.view(shape) + spread.view(shape) * part for part in noise]


def is_unique(region: Callable[[Tensor], Tensor], y: Tensor, x: Tensor, tolerance: float) -> bool:
    """Whether nothing speaks against x being the only solution: not the Jacobian, not a second search.

    A Jacobian without full rank leaves x open. Where it is too large to be written down, outputs that do not
    move with x betray it, such as those behind a ReLU that is off.
    """
    if is_small(x, y):
        values = torch.stack(
            [torch.linalg.svdvals(jacobian_matrix(region, row).double()) for row in x.split(1)]
        )
        flat = values[:, -1] <= 10 * torch.finfo(x.dtype).eps * values[:, 0] * values.shape[1]
        return not bool(flat.any()) and not has_another(region, y, x, tolerance)
    moved = Jacobian(region, x).push(_pattern(x).expand_as(x))
    return y[0].numel() > x[0].numel() or not bool((moved == 0).any())


def _pattern(x: Tensor) -> Tensor:
    """Numbers without a pattern, one for each unknown, the same at every call."""
    golden = torch.arange(1, x[0].numel() + 1, device=x.device) * 2.399963229728653
    return golden.cos().view(x[0].shape).to(x)


@torch.no_grad()
def has_another(region: Callable[[Tensor], Tensor], y: Tensor, x: Tensor, tolerance: float) -> bool:
    """Whether a search from half a spread away ends at another solution; asked where that is cheap."""
    if x[0].numel() > PROBED or y[0].numel() > 4 * PROBED:
        return False
    size = x.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (x.dim() - 1))
    away, evidence = dense_newton(
        region, y, x + 0.5 * size * _pattern(x), tolerance=tolerance, steps=FINISHING
    )
    apart = (away - x).flatten(1).norm(dim=1) > 1e-2 * x.flatten(1).norm(dim=1)
    return bool((apart & evidence.converged).any())


def _products(site: Site, *, trusted: bool) -> int:
    small = sum(node.size for node in site.nodes) <= SMALL
    return THOROUGH if small else BRIEF if trusted else ROUGH


def start(site: Site, y: Tensor, equation: Equation) -> Tensor:
    """The prior mean, or zero; where the region is flat there, numbers without a pattern."""
    mean = moments_of_samples(site, y)[0].clone()
    with torch.enable_grad():
        point = mean.detach().requires_grad_()
        error = equation.misfit(equation.inner(point), y.detach()).square().sum()
        (slope,) = torch.autograd.grad(error, point)
    flat = (slope.flatten(1) == 0).all(1) & (error.detach() > 0)
    golden = torch.arange(1, mean[0].numel() + 1, device=y.device) * 2.399963229728653  # never repeats
    pattern = (0.5 * golden.cos()).to(y).view(1, *site.event)
    return torch.where(flat.view(-1, *[1] * (mean.dim() - 1)), pattern, mean)


def _inside(site: Site, known: dict[str, object]) -> dict[str, object]:
    """Known values that are not functions of the unknown one."""
    moving = {node.name for node in site.nodes}
    return {name: value for name, value in known.items() if name not in moving}


def default_tolerance(dtype: torch.dtype) -> float:
    """Relative residual that counts as solved: close to what the number format can show."""
    return 1e-10 if dtype == torch.float64 else 1e-5
