"""Counterfactuals by the difference of class means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from preimage.certificate import OnError
from preimage.classify.counterfactuals.counterfactuals import Counterfactuals, decoded, flattened, targets
from preimage.classify.latents import latents

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


@torch.no_grad()
def mean_shift(
    classifier: GenerativeClassifier, x: Any, target: Any, *, source: Any = None, on_error: OnError = "warn"
) -> Counterfactuals:
    r"""Move every latent from the mean of its class to that of another, :math:`z + \mu_b - \mu_a`.

    What is special about the input, its deviation from the mean of its class, is kept.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 4.2, https://arxiv.org/abs/1605.08803,
    for moves between latents.

    Args:
        classifier: a fitted generative classifier.
        x: inputs ``(N, *event)``.
        target: the class wanted, or one for every row ``(N,)``.
        source: the classes that they have ``(N,)``; the predicted ones by default.
        on_error: what happens where the inverse is not exact: ``"raise"``, ``"warn"`` or ``"nan"``.

    Returns:
        The changed inputs.

    Raises:
        ContextError: a class is unknown.

    Cost: one run of the bijection, one of its inverse, and the certificate.

    Example:
        >>> from preimage.bijection import Chain
        >>> from preimage.classify import GenerativeClassifier
        >>> from preimage.flows import FixedClassConditionalNormal, Flow
        >>> base = FixedClassConditionalNormal(torch.tensor([[-2.0], [2.0]]))
        >>> model = GenerativeClassifier(Flow(Chain(), base), classes=2)
        >>> mean_shift(model, torch.tensor([[-1.5]]), target=1).x
        tensor([[2.5000]])
    """
    z, _ = latents(classifier.flow, x)
    labels = targets(classifier, target, len(flattened(z)))
    own = classifier.predict(x) if source is None else targets(classifier, source, len(labels))
    centres = flattened(classifier.base.class_centres())
    return decoded(classifier, z, centres[labels] - centres[own], labels, on_error)
