"""Search for x with f(x) = y from any start, with evidence for every sample."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, relative_residual
from preimage.inverse.calibrate import refine
from preimage.inverse.preimages.question import Question, Wanted
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.linearisation import FEW
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


def solve(
    inverse: OneShot, y: Wanted, tap: str | TapLike | None, start: Values | None, effort: Effort
) -> tuple[Values, Certificate]:
    """Find x near the start with ``f(x) = y``.

    Steps of least norm, so that what f does not see stays as it was: with the output-side system ``J J'``
    written down where f has few outputs; where it has many, Gauss-Newton by conjugate gradients or
    quasi-Newton steps, whichever gets on; and in the metric of the decoder's errors where one was calibrated.
    Where there are few outputs, samples that are not solved are tried again from the inverse's own guess, by
    splitting the network at its activations, from starts with noise, and by continuation.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, chapters 7, 10 and 11; for
    the splitting, V. Elser, I. Rankenburg and P. Thibault, Searching with iterated maps, 2007.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target.
        tap: label, value or module path; the network's output when None.
        start: first guess; the inverse's own when None.
        effort: tolerance and limits of each attempt.

    Returns:
        The inputs and a certificate; not converged means that no x was found, not that there is none.

    Cost: that of the first attempt where it succeeds.
    """
    question = Question(inverse, y, tap)
    wanted, first = question.wanted, question.start(start)
    decoder = inverse.decoders.get(inverse.label_of(tap))
    if decoder is not None and question.target is None and prod(wanted.shape[1:]) > FEW:
        x, certificate = refine(question.f, wanted, decoder, start=first, effort=effort)
    else:
        reach = question.reach(effort, None if decoder is None else decoder.metric)
        x, certificate = reach.persistently(wanted, first)
    if effort.watch is not None and effort.watch.ended:
        certificate = _stopped(question, x, certificate, effort)
    return question.unpack(x), certificate


@torch.no_grad()
def _stopped(question: Question, x: Tensor, certificate: Certificate, effort: Effort) -> Certificate:
    """The evidence of the best answer so far."""
    residual = relative_residual(question.f(x), question.wanted)
    message = effort.watch.ended if effort.watch else ""
    return replace(certificate, residual=residual, converged=residual <= effort.tolerance, message=message)
