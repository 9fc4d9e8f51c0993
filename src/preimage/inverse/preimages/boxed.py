"""An input with a given answer whose numbers stay within bounds, as pixels must."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.errors import ShapeError
from preimage.inverse.preimages.best import best
from preimage.inverse.preimages.priors.objective import Distance
from preimage.inverse.preimages.question import Question, Wanted
from preimage.inverse.solvers.nonlinear.allowed import Box
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


def boxed(
    inverse: OneShot,
    y: Wanted,
    low: Tensor | float = 0.0,
    high: Tensor | float = 1.0,
    tap: str | TapLike | None = None,
    *,
    to: Values | None = None,
    tol: float = 1e-6,
    steps: int = 50,
    max_products: int = 200,
) -> tuple[Values, Certificate]:
    """Minimise ``|x - a|^2`` subject to ``f(x) = y`` and ``low <= x <= high``.

    At the answer ``x = clip(a + J' v)``; the numbers at a bound are the active set. There need not be such
    an x: then the certificate says that none was found.

    Reference: J. Nocedal and S. Wright, Numerical Optimization, 2006, chapters 16 and 18.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``, or a target.
        low, high: bounds, numbers or tensors that broadcast to ``(N, *event)``.
        tap: label, value or module path; the network's output when None.
        to: a, ``(N, *event)``; the middle of the box when None.
        tol: relative residual ``|f(x) - y| / |y|`` of a solution.
        steps: downhill steps at most; 0 for any solution that the search from a finds.
        max_products: Jacobian products of the search for a first solution, at most, where f has many outputs.

    Returns:
        x ``(N, *event)``, within the bounds always, and its certificate.

    Raises:
        DomainError: when a lower bound exceeds its upper one.
        ShapeError: for bounds that do not broadcast to the input.

    Cost: as :func:`nearest`, with up to twelve small systems a step.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Linear(3, 1, bias=False)
        >>> net.weight.data = torch.tensor([[4.0, 1.0, 1.0]])
        >>> inverse = pi.invert(net, torch.zeros(1, 3))
        >>> x, certificate = inverse.boxed(torch.tensor([[5.0]]), 0.0, 1.0, to=torch.zeros(1, 3))
        >>> certificate.ok, [round(v, 3) for v in x[0].tolist()]
        (True, [1.0, 0.5, 0.5])
    """
    question = Question(inverse, y, tap)
    zeros = question.zeros()
    box = box_of(low, high, zeros)
    anchor = (box.low + box.high).expand_as(zeros) / 2 if to is None else question.pack(to, "to")
    return best(
        question,
        Distance(anchor),
        anchor,
        Effort(tolerance=tol, max_products=max_products),
        allowed=box,
        steps=steps,
    )


def box_of(low: Tensor | float | None, high: Tensor | float | None, like: Tensor) -> Box:
    """The box between two bounds that broadcast to inputs ``(N, *in)``; None for no bound."""
    ends = (-torch.inf if low is None else low, torch.inf if high is None else high)
    return Box(_bound(ends[0], like, "low"), _bound(ends[1], like, "high"))


def _bound(value: Tensor | float, like: Tensor, name: str) -> Tensor:
    try:
        bound = torch.as_tensor(value).to(like)
        return bound.expand_as(like if bound.dim() == like.dim() else like[:1])
    except RuntimeError:
        came = tuple(value.shape) if isinstance(value, Tensor) else value
        raise ShapeError(
            f"{name}: got {came}; a number or a tensor that broadcasts to {tuple(like.shape)} was wanted"
        ) from None
