"""Prototypes of any classifier through its derived inverse."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.classify.prototypes.prototypes import Prototypes


class Solver(Protocol):
    """What :func:`preimage.invert` returns, as far as it is needed here."""

    def solve(self, y: Any) -> tuple[Any, Certificate]:
        """An input whose output is y, with the evidence."""
        ...


def inverted_logits(
    inverse: Solver, classes: int, height: float = 10.0, dtype: torch.dtype = torch.float32
) -> Prototypes:
    r"""Inputs that a classifier answers with one logit high and the others zero, through ``pi.invert``.

    .. math:: f(x_c) = h\, e_c, \qquad p(c \mid x_c) = \frac{e^h}{e^h + K - 1}

    A preimage, one of very many: it shows what the inverse chooses, which without calibration is the smallest
    input or near it. Refine it with :func:`refined_prototypes`, or calibrate the inverse with data.

    Reference: Mahendran, Vedaldi (2015), Understanding deep image representations by inverting them,
    https://arxiv.org/abs/1412.0035

    Args:
        inverse: ``pi.invert(model, example)`` of a model with logits ``(N, K)``.
        classes: number of classes K.
        height: the logit h of the class.
        dtype: of the logits.

    Returns:
        One prototype for every class; the certificate is that of the inverse. The density is unknown, NaN.

    Cost: K solves of the inverse, as one batch.

    Example:
        >>> import preimage as pi
        >>> inverse = pi.invert(torch.nn.Linear(4, 3), torch.zeros(1, 4))
        >>> inverted_logits(inverse, classes=3).certificate.ok
        True
    """
    logits = height * torch.eye(classes, dtype=dtype)
    x, certificate = inverse.solve(logits)
    probability: Tensor = logits.softmax(dim=1).diagonal().clone()
    unknown = torch.full_like(probability, float("nan"))
    return Prototypes(x, torch.arange(classes), probability, unknown, certificate)
