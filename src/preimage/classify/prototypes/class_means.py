"""Prototypes as inverted class means."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from preimage.certificate import OnError
from preimage.checks import as_tuple, unpack
from preimage.classify.latents import direct_class_log_prob
from preimage.classify.prototypes.prototypes import Prototypes

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


@torch.no_grad()
def inverted_class_means(
    classifier: GenerativeClassifier, *, tolerance: float | None = 1e-4, on_error: OnError = "warn"
) -> Prototypes:
    r"""The inverse of the mean of every class, :math:`x_c = f^{-1}(\mu_c)`.

    The certificate holds the relative re-encoding error :math:`\|f(x_c) - \mu_c\| / \|\mu_c\|`. Where the
    flow dequantises, x is what the bijection takes, before it is rounded to levels.

    Args:
        classifier: a fitted generative classifier.
        tolerance: largest error that counts as converged.
        on_error: what happens beyond: ``"raise"``, ``"warn"`` or ``"nan"``.

    Returns:
        One prototype for every class, in order.

    Cost: one run of the inverse and a few of the certificate, for K rows.
    """
    centres = unpack(part.detach() for part in as_tuple(classifier.base.class_centres()))
    bijection = classifier.flow.bijection
    x, certificate = bijection.certified_inverse(centres, tolerance=tolerance, on_error=on_error)
    labels = torch.arange(classifier.classes, device=classifier.log_prior.device)
    probability, log_prob = described(classifier, cast(Tensor, x), labels)
    return Prototypes(cast(Tensor, x), labels, probability, log_prob, certificate)


def described(classifier: GenerativeClassifier, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Probability and log-density under the own class ``(M,)`` of inputs of the bijection ``(M, *event)``."""
    table = direct_class_log_prob(classifier, x)
    logits = table / classifier.temperature + classifier.log_prior
    own = labels[:, None]
    return logits.softmax(dim=1).gather(1, own)[:, 0], table.gather(1, own)[:, 0]
