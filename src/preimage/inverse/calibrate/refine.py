"""From the calibrated estimate towards an input that has the given features, with few evaluations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.calibrate.decoder import Decoder
from preimage.inverse.equation import Equation
from preimage.inverse.solvers.linear_systems.least_squares import over, squared_norm
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.gauss_newton import gauss_newton
from preimage.inverse.solvers.nonlinear.quasi_newton import quasi_newton

CORRECTIONS = 4  # times that the decoder corrects itself, at most
PROGRESS = 0.8  # a correction is kept when it shrinks the squared residual to this part
FAR = 0.3  # relative residual above which an estimate counts as too smooth
TEXTURE = 0.12  # share of the likely error added where the decoder cannot correct itself
SWITCH = 40  # products after which Gauss-Newton takes over
LINEAR, CURVED = 0.5, 0.7  # powers of the error covariance; flatter than itself, it is better in few steps


@torch.no_grad()
def refine(
    f: Callable[[Tensor], Tensor],
    y: Tensor,
    decoder: Decoder,
    *,
    start: Tensor | None = None,
    effort: Effort | None = None,
) -> tuple[Tensor, Certificate]:
    """Find x near the calibrated estimate with ``f(x) = y``, within a small budget.

    1. *Correct*: ``x <- x + B (y - f(x))``, B the linear part of the decoder, as long as that shrinks the
       residual. One evaluation each; it wins most at shallow taps, where ``B J`` is close to 1.
    2. *Texture*: where B cannot correct, f is far from linear around so smooth an estimate, and answers
       hardly to small changes. A fixed pattern with the spectrum of the error ends that, at a small part
       of its size.
    3. *Descend*: quasi-Newton steps in the metric of the error covariance, so that what f does not see, and
       what the decoder already knows, stays as it was. Gauss-Newton steps spend what is left of a large
       budget.

    Args:
        f: from inputs ``(N, *input)`` to features ``(N, *tap)``, rows independent; an ``Equation`` where it
            ends in a clip.
        y: the features wanted, ``(N, *tap)``.
        decoder: calibrated for this tap.
        start: first guess; the decoder's estimate when None.
        effort: tolerance and limits; 16 products by default.

    Returns:
        x ``(N, *input)`` and its certificate; ``iterations`` counts products with the transposed Jacobian.

    Cost: up to 5 evaluations for the corrections, then an evaluation and a product a step.

    Example:
        >>> from preimage.inverse.calibrate import DecoderFit
        >>> x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
        >>> fit = DecoderFit((4,), (4,))
        >>> fit.update(x, x + 0.2 * x.sin(), torch.arange(60) // 10)
        >>> found, certificate = refine(lambda x: x + 0.2 * x.sin(), x + 0.2 * x.sin(), fit.solve())
        >>> certificate.ok, bool((found - x).abs().max() < 1e-3)
        (True, True)
    """
    effort = effort or Effort(1e-5, 16)
    x, smooth = corrected(f, y, decoder(y) if start is None else start, decoder)
    x = torch.where(over(smooth, x), x + TEXTURE * decoder.metric.texture(x), x)
    metric = decoder.metric.power(CURVED if bool(smooth.any()) else LINEAR)
    first = replace(effort, max_products=min(effort.max_products, SWITCH))
    equation = Equation.of(f)
    x, certificate = quasi_newton(equation.inner, y, x, effort=first, metric=metric, misfit=equation.misfit)
    if certificate.ok or effort.max_products <= SWITCH:
        return x, certificate
    rest = replace(effort, max_products=effort.max_products - SWITCH)
    x, last = gauss_newton(equation.inner, y, x, effort=rest, metric=metric, misfit=equation.misfit)
    return x, replace(last, iterations=last.iterations + certificate.iterations)


def corrected(f: Callable[[Tensor], Tensor], y: Tensor, x: Tensor, decoder: Decoder) -> tuple[Tensor, Tensor]:
    """Repeat ``x <- x + B (y - f(x))`` while it helps; return x and where it should have but did not."""
    residual = y - f(x)
    helped = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    rows = torch.arange(len(y), device=y.device)
    for _ in range(CORRECTIONS):
        trial = x[rows] + decoder.linear(residual[rows])
        after = y[rows] - f(trial)
        better = squared_norm(after) < PROGRESS * squared_norm(residual[rows])
        kept = rows[better]
        x, residual = x.index_copy(0, kept, trial[better]), residual.index_copy(0, kept, after[better])
        helped[kept] = True
        rows = kept
        if not len(rows):
            break
    far = squared_norm(residual) > FAR**2 * squared_norm(y)
    return x, far & ~helped
