"""Learnt corrections of a painted picture, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from preimage.decoders.corrector_network import CorrectorNetwork, Misfit
from preimage.decoders.network import DecoderNetwork
from preimage.inverse.solvers.linear_systems.least_squares import over, squared_norm

ROUNDS = 2  # each is one product with the transposed Jacobian

Map = Callable[[Tensor], Tensor]


def measured(
    f: Map,
    x: Tensor,
    painted: Tensor,
    y: Tensor,
    tap: str,
    decoder: DecoderNetwork,
    corrector: CorrectorNetwork,
) -> Misfit:
    """What a picture misses.

    Args:
        f: from inputs ``(N, C, H, W)`` to features ``(N, *tap)``, rows independent.
        x: the picture so far.
        painted: what the decoder paints from y.
        y: the features wanted, ``(N, *tap)``.
        tap: label.
        decoder: g.
        corrector: weighs the misfit.

    Cost: an evaluation of f, a product with its transposed Jacobian, an evaluation of g.
    """
    wanted, weights = decoder.laid_out(y, tap), corrector.entry(tap).weights
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = f(x)
        missing = (wanted - decoder.laid_out(value, tap)).detach()  # (N, c, h, w)
        weighed = torch.einsum("cd,ndhw->nchw", weights, missing)
        (gradient,) = torch.autograd.grad(
            decoder.laid_out(value, tap), x, weighed, materialize_grads=True, allow_unused=True
        )
    with torch.no_grad():
        echo = painted - decoder(value.detach(), tap, (x.shape[2], x.shape[3]))
    return Misfit(x.detach(), echo.to(x), gradient, wanted, missing)


def unrolled(
    f: Map,
    y: Tensor,
    tap: str,
    decoder: DecoderNetwork,
    corrector: CorrectorNetwork,
    rounds: int,
    painted: Tensor,
    start: Tensor | None = None,
) -> Iterator[Tensor]:
    """Pictures after one correction, after two, ...; gradients pass the last correction alone."""
    x = painted if start is None else start
    for _ in range(rounds):
        misfit = measured(f, x, painted, y, tap, decoder, corrector)
        x = misfit.x + corrector(misfit, tap).to(x)
        yield x


@torch.no_grad()
def corrected(
    f: Map, y: Tensor, tap: str, decoder: DecoderNetwork, corrector: CorrectorNetwork, *, rounds: int = ROUNDS
) -> Tensor:
    """Repeat ``x <- x + c(x, g(y) - g(f(x)), J^T W (y - f(x)), y, y - f(x))`` from ``x = g(y)``.

    Of all x on the way, that with the smallest residual is returned, sample by sample, so that the residual
    is never larger than that of ``g(y)``.

    Args:
        f: from inputs ``(N, C, H, W)`` to features ``(N, *tap)``, rows independent.
        y: the features wanted, ``(N, *tap)``.
        tap: label.
        decoder: g.
        corrector: c.
        rounds: corrections.

    Returns:
        x ``(N, C, H, W)``.

    Raises:
        UnknownTapError: decoder or corrector was not made for the tap.

    Cost: two evaluations of f, one of g and of c, and a product with the transposed Jacobian a round.
    """
    painted = decoder(y, tap)
    best, least = painted, squared_norm(y - f(painted))
    for x in unrolled(f, y, tap, decoder, corrector, rounds, painted):
        size = squared_norm(y - f(x))
        better = size < least  # never so for NaN
        best, least = torch.where(over(better, x), x, best), torch.where(better, size, least)
    return best
