"""From a painted picture to one whose features agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.solvers.effort import Effort
from preimage.inverse.solvers.least_squares import squared_norm
from preimage.inverse.solvers.metric import Metric
from preimage.inverse.solvers.quasi_newton import quasi_newton

CORRECTIONS = 2  # times that the decoder corrects itself, at most
PROGRESS = 0.9  # a correction is kept when it shrinks the squared residual to this part

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
) -> tuple[Tensor, Certificate]:
    """Find x near what the decoder paints, with ``f(x) = y``, within a small budget.

    1. *Correct*: ``x <- x + g(y) - g(f(x))``, g the decoder, as long as that shrinks the residual: what g
       loses on the way there and back is given back to it.
    2. *Descend*: quasi-Newton steps in the metric of the decoder's errors, so that what f does not see, and
       what the decoder already knows, stays as it was.

    Args:
        f: from inputs ``(N, *input)`` to features ``(N, *tap)``, rows independent.
        y: the features wanted, ``(N, *tap)``.
        decode: g, from features to inputs.
        metric: covariance of the decoder's errors.
        start: first guess; ``g(y)`` when None.
        effort: tolerance and limits; 20 products by default.

    Returns:
        x ``(N, *input)`` and its certificate; ``iterations`` counts products with the transposed Jacobian.

    Cost: up to 3 evaluations of f and g, then an evaluation and a product a step.

    Example:
        >>> from preimage.inverse.solvers.metric import Identity
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x, certificate = refine(lambda x: x + 0.2 * x.sin(), y, lambda y: 0.9 * y, Identity())
        >>> certificate.ok, bool((x + 0.2 * x.sin() - y).abs().max() < 1e-4)
        (True, True)
    """
    painted = decode(y)
    x = corrected(f, y, decode, painted) if start is None else start
    return quasi_newton(f, y, x, effort=effort or Effort(1e-5, 20), metric=metric)


def corrected(f: Map, y: Tensor, decode: Map, painted: Tensor) -> Tensor:
    """Repeat ``x <- x + g(y) - g(f(x))`` from ``x = g(y)`` where it helps."""
    x, value = painted, f(painted)
    rows = torch.arange(len(y), device=y.device)
    for _ in range(CORRECTIONS):
        trial = x[rows] + painted[rows] - decode(value[rows])
        after = f(trial)
        better = squared_norm(y[rows] - after) < PROGRESS * squared_norm(y[rows] - value[rows])
        kept = rows[better]
        x, value = x.index_copy(0, kept, trial[better]), value.index_copy(0, kept, after[better])
        rows = kept
        if not len(rows):
            break
    return x


def with_origin(certificate: Certificate, message: str) -> Certificate:
    """The same evidence, with where the answer came from in front of its message."""
    text = "; ".join(part for part in (message, certificate.message) if part)
    return replace(certificate, message=text)
