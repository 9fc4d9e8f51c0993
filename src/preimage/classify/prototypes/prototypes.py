"""What every way of making prototypes returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from preimage.certificate import Certificate


@dataclass(frozen=True)
class Prototypes:
    """Inputs that stand for classes, with what the classifier makes of them.

    Args:
        x: one input for every class asked for, ``(M, *event)``.
        labels: their classes, whole numbers ``(M,)``.
        probability: of the own class, :math:`p(c \\mid x)`, ``(M,)``.
        log_prob: density under the own class, :math:`\\log p(x \\mid c)` in nats, ``(M,)``; NaN where the
            classifier has no density.
        certificate: evidence that x is what it is said to be, such as the inverse of a class mean.
    """

    x: Tensor
    labels: Tensor
    probability: Tensor
    log_prob: Tensor
    certificate: Certificate

    def __len__(self) -> int:
        return len(self.labels)
