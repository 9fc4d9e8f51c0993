"""Values outside the range of an operation: answered with the nearest possible x, and flagged."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.registry import Solved


def within(x: Tensor, outside: Tensor, excess: Tensor, operation: str, exact: float) -> Solved:
    """The answer for values some of which no x can produce.

    Args:
        x: the nearest possible answer, ``(N, ...)``.
        outside: where y is outside the closed range, bool ``(N, ...)``.
        excess: by how much, ``(N, ...)``.
        operation: name for the message.
        exact: fraction of x that is certain.
    """
    distance = torch.where(outside, excess.abs(), torch.zeros_like(excess)).reshape(x.shape[0], -1)
    violation = distance.amax(1) if distance.shape[1] else x.new_zeros(x.shape[0])
    message = (
        f"{operation}: values outside its range were moved to the nearest end" if bool(outside.any()) else ""
    )
    certificate = Certificate(violation, violation == 0, domain_violation=violation, message=message)
    return Solved(x, None, certificate, exact=min(exact, 1.0))
