"""The input with a given answer that is nearest to a given one."""

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


def nearest(
    inverse: OneShot,
    y: Wanted,
    to: Values,
    tap: str | TapLike | None = None,
    *,
    tol: float = 1e-6,
    steps: int = 50,
) -> tuple[Values, Certificate]:
    """Minimise ``|x - a|^2`` subject to ``f(x) = y``.

    For a classifier, a is a picture and y the answer it should have had: x - a is the smallest change that
    makes the network say so.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, chapter 18.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target.
        to: a, ``(N, *event)``; one row serves all samples.
        tap: label, value or module path; the network's output when None.
        tol: relative residual ``|f(x) - y| / |y|`` of a solution.
        steps: downhill steps at most.

    Returns:
        x ``(N, *event)`` and its certificate; its message says where x is no minimum yet.

    Raises:
        ShapeError, NonFiniteError: for values that the tap, or inputs that the network, cannot have.

    Cost: some tens of Gauss-Newton steps, each as many products as f has outputs.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Linear(2, 1, bias=False)
        >>> net.weight.data = torch.tensor([[1.0, 1.0]])
        >>> inverse = pi.invert(net, torch.zeros(1, 2))
        >>> x, _ = inverse.nearest(torch.tensor([[2.0]]), torch.tensor([[3.0, 1.0]]))
        >>> [round(v, 3) for v in x[0].tolist()]
        [2.0, 0.0]
    """
    question = Question(inverse, y, tap)
    anchor = question.pack(to, "to")
    return best(question, Distance(anchor), anchor, Effort(tolerance=tol), steps=steps)
