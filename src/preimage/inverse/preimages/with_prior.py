"""The most probable input with a given answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.inverse.preimages.best import best
from preimage.inverse.preimages.priors.objective import Objective
from preimage.inverse.preimages.question import Question, Wanted
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


def with_prior(
    inverse: OneShot,
    y: Wanted,
    prior: Objective,
    tap: str | TapLike | None = None,
    *,
    start: Values | None = None,
    tol: float = 1e-6,
    steps: int = 50,
) -> tuple[Values, Certificate]:
    """Minimise a prior ``R(x)`` subject to ``f(x) = y``.

    Priors: :class:`Gaussian` (of data, or of pictures in general), :class:`TotalVariation`,
    :class:`NormStatistics`, sums of these by :class:`Together`, or an :class:`Objective` of one's own.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target.
        prior: what to minimise.
        tap: label, value or module path; the network's output when None.
        start: where to begin, ``(N, *event)``; where the prior leads from zero when None.
        tol: relative residual ``|f(x) - y| / |y|`` of a solution.
        steps: downhill steps at most.

    Returns:
        x ``(N, *event)`` and its certificate; its message says where x is no minimum yet.

    Raises:
        ShapeError, NonFiniteError: for values that the tap cannot have.

    Cost: as :func:`nearest` for a Gaussian; other priors take more and shorter steps.

    Example:
        >>> import torch, preimage as pi
        >>> from preimage.inverse.preimages import Gaussian
        >>> data = torch.randn(999, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0])
        >>> net = torch.nn.Linear(2, 1, bias=False)
        >>> net.weight.data = torch.tensor([[1.0, 1.0]])
        >>> inverse = pi.invert(net, data[:1])
        >>> x, certificate = inverse.with_prior(torch.tensor([[10.0]]), Gaussian.of_data(data))
        >>> certificate.ok, bool(x[0, 1] > 7 * x[0, 0])  # nine times the variance takes up nine times as much
        (True, True)
    """
    question = Question(inverse, y, tap)
    zeros = question.zeros()
    begin = prior.toward(zeros) if start is None else question.pack(start, "start")
    return best(question, prior, begin, Effort(tolerance=tol), steps=steps)
