"""Several members of a preimage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.errors import ShapeError
from preimage.inverse.preimages.question import Question, Wanted
from preimage.inverse.preimages.search.reach import Reach
from preimage.inverse.smooth import is_spatial, smooth_metric
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


def sample(
    inverse: OneShot,
    y: Wanted,
    count: int,
    tap: str | TapLike | None = None,
    *,
    spread: float = 1.0,
    tol: float = 1e-6,
    seed: int = 0,
) -> tuple[Values, Certificate]:
    """Draw inputs that all have the answer y: ``x = z + d``, z random, d the smallest for which f(x) = y.

    z is normal around the one-shot answer. Data-free: the draws show how large the preimage is, not which of
    its members are likely; where inputs have neighbours, z is smooth as pictures are.

    Reference: the projection of random points on the solution set; for a linear f these are draws of the
    normal distribution given y (Y. Hoffman and E. Ribak, 1991, https://doi.org/10.1086/186160).

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target.
        count: members for each y.
        tap: label, value or module path; the network's output when None.
        spread: standard deviation of z.
        tol: relative residual ``|f(x) - y| / |y|`` of a solution.
        seed: of the draws.

    Returns:
        x, ``(count * N, *event)``, the members of the first y first, and a certificate for each.

    Raises:
        ShapeError: for a count below 1.

    Cost: that of ``count * N`` solves.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.LeakyReLU(0.1), torch.nn.Linear(4, 2))
        >>> inverse = pi.invert(net, torch.zeros(1, 5))
        >>> x, certificate = inverse.sample(torch.tensor([[1.0, -1.0]]), 3)
        >>> tuple(x.shape), certificate.ok, torch.allclose(net(x), torch.tensor([1.0, -1.0]), atol=1e-4)
        ((3, 5), True, True)
    """
    if count < 1:
        raise ShapeError(f"got count={count}; one member at least was wanted")
    question = Question(inverse, y, tap)
    first = question.start(None).repeat_interleave(count, 0)
    wanted = question.wanted.repeat_interleave(count, 0)
    start = first + spread * _draws(question, first, seed)
    effort = Effort(tolerance=tol)
    x, certificate = Reach(question.f, effort, cut=lambda: question.cut).persistently(wanted, start)
    return question.unpack(x), certificate


def _draws(question: Question, like: torch.Tensor, seed: int) -> torch.Tensor:
    """Standard normal numbers, smooth where the input has neighbours."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)
    if not is_spatial(question.shape):
        return z
    z = smooth_metric(question.shape, like).root(z)
    return z / z.flatten(1).std(1).view(-1, *[1] * (z.dim() - 1))
