"""Learnt corrections of a painted picture and steps of a search, in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.decoders.correct import corrected, unrolled
from preimage.decoders.corrector_network import CorrectorNetwork
from preimage.decoders.network import DecoderNetwork
from preimage.decoders.refine import refine
from preimage.inverse.solvers.linear_systems.least_squares import over
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.metric import Metric

CORRECTIONS = 2  # in a row; each is a product with the transposed Jacobian
FIRST = 10  # products of a search between corrections

Map = Callable[[Tensor], Tensor]
Answer = tuple[Tensor, Certificate]


@torch.no_grad()
def alternate(
    f: Map,
    y: Tensor,
    tap: str,
    decoder: DecoderNetwork,
    corrector: CorrectorNetwork,
    metric: Metric,
    effort: Effort,
    between: Metric | None = None,
) -> Answer:
    """Find x near what the decoder paints, with ``f(x) = y``: corrections and searches in turn.

    A search brings the features into line, in small steps that know little of pictures; corrections undo what
    it did wrong and mend what it cannot see. So a search before corrections may take a flat metric, in which
    features agree sooner; the last word is that of a careful search. Of the ends of all searches, that with
    the smallest residual is returned, sample by sample.

    Reference: Venkatakrishnan, Bouman and Wohlberg 2013, Plug-and-play priors for model based reconstruction
    (https://doi.org/10.1109/GlobalSIP.2013.6737048), where a denoiser takes the place of the corrector.

    Args:
        f: from inputs ``(N, C, H, W)`` to features ``(N, *tap)``, rows independent.
        y: the features wanted, ``(N, *tap)``.
        tap: label.
        decoder: g.
        corrector: trained for the tap.
        metric: of the last search, as for :func:`preimage.decoders.refine.refine`.
        effort: tolerance and limits; a correction counts as a product.
        between: metric of the searches before it, the same by default.

    Returns:
        x ``(N, C, H, W)``, no farther from y than ``g(y)``, and its certificate; ``iterations`` counts
        products with the transposed Jacobian.

    Raises:
        UnknownTapError: decoder or corrector was not made for the tap.

    Cost: an evaluation of f and a product a step, an evaluation of g and of the corrector more a correction.
    """

    def search(x: Tensor, corrections: int, products: int, last: bool) -> Answer:
        limited, chosen = replace(effort, max_products=products), metric if last else between or metric
        x, steps = refine(f, y, lambda v: decoder(v, tap), chosen, start=x, effort=limited)
        return x, replace(steps, iterations=steps.iterations + corrections)

    first, *others = turns(effort.max_products)
    x, evidence = search(corrected(f, y, tap, decoder, corrector, rounds=first[0]), *first, not others)
    best = x
    for number, turn in enumerate(others, 1):
        if evidence.ok or (effort.watch is not None and effort.watch.ended):
            break
        *_, x = unrolled(f, y, tap, decoder, corrector, turn[0], decoder(y, tap), start=x)
        x, steps = search(x, *turn, number == len(others))
        best, evidence = closer((best, evidence), (x, steps))
    return best, evidence


def closer(one: Answer, other: Answer) -> Answer:
    """Of two answers that with the smaller residual, sample by sample, at the cost of both."""
    (x, before), (z, after) = one, other
    better = after.residual < before.residual  # never so for NaN
    converged = torch.where(better, after.converged, before.converged)
    evidence = replace(
        after,
        residual=torch.where(better, after.residual, before.residual),
        converged=converged,
        iterations=before.iterations + after.iterations,
        message="" if bool(converged.all()) else after.message,
    )
    return torch.where(over(better, z), z, x), evidence


def turns(products: int) -> list[tuple[int, int]]:
    """Corrections, and products of the search after them, for every turn of a budget.

    Example:
        >>> turns(24), turns(200), turns(5), turns(1)
        ([(2, 10), (2, 10)], [(2, 10), (2, 186)], [(2, 3)], [(0, 1)])
    """
    corrections = min(CORRECTIONS, max(products - 1, 0))
    left = products - corrections
    if left <= FIRST + CORRECTIONS:
        return [(corrections, left)]
    return [(corrections, FIRST), (CORRECTIONS, left - FIRST - CORRECTIONS)]
