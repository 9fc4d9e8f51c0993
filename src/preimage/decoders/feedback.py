"""What a decoder loses on the way there and back, given back to it: no Jacobian is needed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.inverse.solvers.linear_systems.least_squares import over, squared_norm

ROUNDS = 4  # more of them gain next to nothing
SHARE = 0.6  # of each correction; a decoder that estimates means over-corrects what it knows
PROGRESS = 0.95  # part of the squared residual below which a correction is worth its noise
DAMPING = 1e-3  # of the mixing, relative to the size of the remembered changes

Map = Callable[[Tensor], Tensor]


@torch.no_grad()
def fed_back(f: Map, y: Tensor, decode: Map, *, rounds: int = ROUNDS) -> Tensor:
    """Repeat ``x <- x + s (g(y) - g(y - r))`` with ``r = y - f(x)``, from ``x = g(y)``, Anderson-accelerated.

    Before each correction x is replaced by the combination of all x so far whose residual is least if f is
    linear among them. Of all x on the way, that with the smallest residual is returned, sample by sample,
    so that the residual is never larger than that of ``g(y)``; gains of a few per cent do not count.

    Reference: Walker and Ni 2011, Anderson acceleration for fixed-point iterations
    (https://doi.org/10.1137/10078356X).

    Args:
        f: from inputs ``(N, *input)`` to features ``(N, *tap)``, rows independent.
        y: the features wanted, ``(N, *tap)``.
        decode: g, from features to inputs.
        rounds: corrections at most; it ends when no sample has gained by the last two.

    Returns:
        x ``(N, *input)``.

    Cost: an evaluation of f and one of g a round; memory of so many inputs and features.

    Example:
        >>> y = torch.tensor([[2.0, 0.5]])
        >>> x = fed_back(lambda x: x + 0.2 * x.sin(), y, lambda y: 0.9 * y)
        >>> bool((x + 0.2 * x.sin() - y).abs().max() < 2e-3)
        True
    """
    painted = decode(y)
    x, residual = painted, y - f(painted)
    best, least, idle = x, squared_norm(residual), 0
    points, residuals = [x], [residual]
    for _ in range(rounds):
        at, left = mixed(points, residuals)
        x = at + SHARE * (painted - decode(y - left))
        residual = y - f(x)
        size = squared_norm(residual)
        better = size < PROGRESS * least  # never so for NaN
        best, least = torch.where(over(better, x), x, best), torch.where(better, size, least)
        idle = 0 if bool(better.any()) else idle + 1
        if idle == 2 or not bool(size.isfinite().all()):
            break
        points.append(x)
        residuals.append(residual)
    return best


def mixed(points: list[Tensor], residuals: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The last point moved along the changes so far to the least residual, and that residual."""
    if len(points) == 1:
        return points[0], residuals[0]
    moves, changes = differences(points), differences(residuals)  # (N, D, k)
    gram = changes.mT.double() @ changes.double()  # (N, k, k)
    right = changes.mT.double() @ residuals[-1].flatten(1).double()[:, :, None]
    size = gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    shift = (DAMPING * size).clamp_min(torch.finfo(torch.float32).tiny)
    eye = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    weight = torch.linalg.solve(gram + shift * eye, right).to(moves)
    x, residual = points[-1], residuals[-1]
    return x - (moves @ weight).view_as(x), residual - (changes @ weight).view_as(residual)


def differences(values: list[Tensor]) -> Tensor:
    """The last value less every earlier one, ``(N, D, k)``."""
    return torch.stack([(values[-1] - value).flatten(1) for value in values[:-1]], 2)
