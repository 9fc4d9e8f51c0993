"""Which answers can a network give at all?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.errors import NotSupportedError
from preimage.inverse.preimages.boxed import box_of
from preimage.inverse.preimages.question import Question, Wanted
from preimage.inverse.preimages.straight_pieces.linear_programs import by_linear_programs, straight
from preimage.inverse.solvers.nonlinear.allowed import Everywhere
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


CLOSER = 1e-3
"""Part of the tolerance that is aimed at: linear programs end near an edge of it."""


@final
@dataclass(frozen=True)
class Attainable:
    """For each sample: an x with the wanted answer, the proof that there is none, or neither.

    Args:
        x: inputs ``(N, *event)``; of use where the certificate says converged.
        certificate: how near f(x) is to y, measured by running the network.
        refuted: where it is proved that no x has the answer, bool ``(N,)``.
    """

    x: Values
    certificate: Certificate
    refuted: Tensor

    @property
    def attained(self) -> Tensor:
        """Where x has the answer, bool ``(N,)``."""
        return self.certificate.converged

    @property
    def unknown(self) -> Tensor:
        """Where neither is known, bool ``(N,)``."""
        return ~(self.attained | self.refuted)

    def __str__(self) -> str:
        counts = {"attained": self.attained, "proved unattainable": self.refuted, "unknown": self.unknown}
        return ", ".join(f"{int(rows.sum())} {name}" for name, rows in counts.items())


def attainable(
    inverse: OneShot,
    y: Wanted,
    tap: str | TapLike | None = None,
    *,
    low: Tensor | float | None = None,
    high: Tensor | float | None = None,
    tol: float = 1e-6,
    nodes: int = 200,
) -> Attainable:
    """Find an x with ``f(x) = y``, or prove that there is none.

    For networks of affine layers (dense, convolution, batch norm, average pool, sums) and activations of
    straight pieces (ReLU, ReLU6, LeakyReLU, PReLU, clamp, hardtanh, hardsigmoid, abs). Such a network is a
    set of linear equations in the ways along the pieces, where of each pair of neighbouring ways one must be
    0. Linear programs lower the products of the pairs; where that does not end at 0, the problem is divided
    in two, until a solution is found or no part is left that could hold one.

    Reference: V. Tjeng, K. Xiao and R. Tedrake, Evaluating Robustness of Neural Networks with Mixed Integer
    Programming, 2019, https://arxiv.org/abs/1711.07356, for the other use of such equations; O. L.
    Mangasarian, The linear complementarity problem as a separable bilinear program, 1995,
    https://doi.org/10.1007/BF01096765.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target that is linear in the outputs.
        tap: label, value or module path; the network's output when None.
        low, high: bounds of x, numbers or tensors that broadcast to ``(N, *event)``; no bound when None.
        tol: relative residual ``|f(x) - y| / |y|`` of a solution.
        nodes: how often the problem of a sample is divided, at most.

    Returns:
        What is attained, what is proved unattainable, and what is unknown. Proved means that no x
        has an answer whose numbers are all within 1e-6 of y, relative to the largest of y, to the accuracy
        of linear programs, 1e-7, and of the network's own precision.

    Raises:
        NotSupportedError: for other networks, and for those with more than about 2000 inputs and activations.
        DomainError: when a lower bound exceeds its upper one.
        MissingExtraError: without scipy.

    Cost: a few linear programs where they lead straight to an answer, each with a row for each activation and
    output; up to six for each division.

    Example:
        >>> import torch, preimage as pi
        >>> last = torch.nn.Linear(2, 1, bias=False)
        >>> last.weight.data = torch.tensor([[1.0, 2.0]])
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), last)
        >>> inverse = pi.invert(net.double(), torch.zeros(1, 2).double())
        >>> found = inverse.attainable(torch.tensor([[3.0], [-1.0]]).double())
        >>> print(found)
        1 attained, 1 proved unattainable, 0 unknown
    """
    question = Question(inverse, y, tap)
    program = None if question.cut is None else straight(question.cut, question.wanted)
    if program is None:
        raise NotSupportedError(
            "attainable: got a network that is not of affine layers and activations of straight pieces (ReLU,"
            " LeakyReLU, clamp, ...), at least one of them, or is too large to be written down; use"
            " inverse.solve, which searches"
        )
    unbounded = low is None and high is None
    start = question.zeros()
    allowed = Everywhere() if unbounded else box_of(low, high, start)
    reach = question.reach(Effort(tolerance=tol * CLOSER), allowed=allowed)
    (x, found), refuted = by_linear_programs(
        program, question.wanted, start, polish=reach.once, allowed=allowed, nodes=nodes
    )
    attained = found.residual <= tol
    message = "" if bool(attained.all()) else str(found.message)
    certificate = replace(found, converged=attained, message=message)
    return Attainable(question.unpack(x), certificate, refuted & ~attained)
