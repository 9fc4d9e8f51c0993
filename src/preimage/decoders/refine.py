"""From a painted picture to one whose features agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.decoders.feedback import ROUNDS, fed_back
from preimage.decoders.weighing import Weighing
from preimage.inverse.solvers.linear_systems.least_squares import over
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.metric import Metric
from preimage.inverse.solvers.nonlinear.quasi_newton import quasi_newton

Map = Callable[[Tensor], Tensor]


@torch.no_grad()
def refine(
    f: Map,
    y: Tensor,
    decode: Map,
    metric: Metric,
    *,
    start: Tensor | None = None,
    effort: Effort | None = None,
    rounds: int = ROUNDS,
) -> tuple[Tensor, Certificate]:
    """Find x near what the decoder paints, with ``f(x) = y``, within a small budget.

    1. *Feed back*: ``x <- x + g(y) - g(f(x))``, g the decoder, as long as that shrinks the residual: what g
       loses on the way there and back is given back to it. See :func:`preimage.decoders.feedback.fed_back`.
    2. *Descend*: quasi-Newton steps in the metric of the decoder's errors, so that what f does not see, and
       what the decoder already knows, stays as it was. Residuals are weighed by their own covariance, see
       :class:`preimage.decoders.weighing.Weighing`.

    Args:
        f: from inputs ``(N, *input)`` to features ``(N, *tap)``, rows independent.
        y: the features wanted, ``(N, *tap)``.
        decode: g, from features to inputs.
        metric: covariance of the decoder's errors.
        start: first guess, in place of the first part.
        effort: tolerance and limits; 20 products by default.
        rounds: of feeding back; none where g knows so little that its corrections are guesses.

    Returns:
        x ``(N, *input)``, no farther from y than where the search began, and its certificate;
        ``iterations`` counts products with the transposed Jacobian.

    Cost: up to 5 evaluations of f and g, then an evaluation and a product a step.

    Example:
        >>> from preimage.inverse.solvers.nonlinear.metric import Identity
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = refine(lambda x: x + 0.2 * x.sin(), y, lambda y: 0.9 * y, Identity())
        >>> certificate.ok, bool((x + 0.2 * x.sin() - y).abs().max() < 1e-4)
        (True, True)
    """
    effort = effort or Effort(1e-5, 20)
    first = fed_back(f, y, decode, rounds=rounds) if start is None else start
    value = f(first)
    before = relative_residual(value, y)
    x, steps = quasi_newton(f, y, first, effort=effort, metric=metric, weigh=Weighing(y - value))
    after = relative_residual(f(x), y)
    worse = ~(after <= before)  # weighed residuals fell, but not this one; or NaN
    residual = torch.where(worse, before, after)
    certificate = replace(steps, residual=residual, converged=residual <= effort.tolerance)
    return torch.where(over(worse, x), first, x), certificate
