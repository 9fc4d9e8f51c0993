"""The preimage that is best in some sense."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.preimages.priors.objective import Objective
from preimage.inverse.preimages.question import Question
from preimage.inverse.preimages.search.slide import slide
from preimage.inverse.solvers.nonlinear.allowed import Allowed, Everywhere
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.values import Values

OPEN = 1e-2
"""Part of the wanted step up to which a preimage counts as the best in its neighbourhood."""


def best(
    question: Question,
    objective: Objective,
    start: Tensor,
    effort: Effort,
    *,
    allowed: Allowed | None = None,
    steps: int = 50,
) -> tuple[Values, Certificate]:
    """Minimise an objective over all x with ``f(x) = y``: first any solution near the start, then downhill.

    Args:
        question: f and y.
        objective: what to minimise.
        start: ``(N, *in)``.
        effort: tolerance and limits of each attempt to solve.
        allowed: the set that x must not leave; everywhere when None.
        steps: downhill steps at most.

    Returns:
        The inputs and their certificate, whose message says where a sample is not yet at a minimum. For a
        network that is not linear the minimum is one of its neighbourhood.
    """
    allowed = allowed or Everywhere()
    reach = question.reach(effort, objective.metric, allowed)
    x, first = reach.persistently(question.wanted, start)
    slid = slide(question.f, question.wanted, x, objective, effort=effort, steps=steps, allowed=allowed)
    certificate = replace(slid.certificate, iterations=first.iterations + slid.certificate.iterations)
    moving = slid.certificate.converged & (slid.open > OPEN)
    if certificate.ok and bool(moving.any()):
        share = float(slid.open[moving].max())
        text = (
            f"{int(moving.sum())} of {len(moving)} samples are no minimum yet: {share:.0%} of a step is open"
        )
        certificate = replace(certificate, message=text)
    return question.unpack(slid.x), certificate
