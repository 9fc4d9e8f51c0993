"""The smallest input with a given answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.inverse.preimages.best import best
from preimage.inverse.preimages.priors.objective import Distance
from preimage.inverse.preimages.question import Question, Wanted
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


def minimum_norm(
    inverse: OneShot, y: Wanted, tap: str | TapLike | None = None, *, tol: float = 1e-6, steps: int = 50
) -> tuple[Values, Certificate]:
    """Minimise ``|x|^2`` subject to ``f(x) = y``.

    At the answer x lies in the row space of the Jacobian, ``x = J' v`` (the Karush-Kuhn-Tucker conditions).
    For a linear layer that is its pseudo-inverse. A chain of pseudo-inverses is not minimal: it makes each
    layer's answer small, not the input.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, chapter 18.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target.
        tap: label, value or module path; the network's output when None.
        tol: relative residual ``|f(x) - y| / |y|`` of a solution.
        steps: downhill steps at most.

    Returns:
        x ``(N, *event)`` and its certificate; its message says where x is no minimum yet.

    Raises:
        ShapeError, NonFiniteError: for values that the tap cannot have.

    Cost: some tens of Gauss-Newton steps, each as many products as f has outputs.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Linear(3, 1, bias=False)
        >>> net.weight.data = torch.tensor([[3.0, 0.0, 4.0]])
        >>> x, certificate = pi.invert(net, torch.zeros(1, 3)).minimum_norm(torch.tensor([[5.0]]))
        >>> certificate.ok, [round(v, 3) for v in x[0].tolist()]
        (True, [0.6, 0.0, 0.8])
    """
    question = Question(inverse, y, tap)
    zeros = question.zeros()
    return best(question, Distance(zeros), zeros, Effort(tolerance=tol), steps=steps)
