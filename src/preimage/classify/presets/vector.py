"""Generative classifiers of vectors, such as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preimage.classify.classifier import GenerativeClassifier
from preimage.classify.losses import ClassifierLoss
from preimage.flows import PRESETS, ClassConditionalNormal, Flow, preset


@preset
def vector_class_flow(
    features: int,
    classes: int,
    bijection: str = "nsf_coupling",
    transforms: int = 3,
    hidden_features: Sequence[int] = (64, 64),
) -> Flow:
    """A flow for vectors with one learnt normal distribution of latents for every class.

    Reference: Izmailov, Kirichenko, Finzi, Wilson (2020), https://arxiv.org/abs/1912.13025

    Args:
        features: number of features.
        classes: number of classes K.
        bijection: name of the preset whose bijection is taken, such as ``"nsf"`` for a single feature.
        transforms: its number of transforms.
        hidden_features: widths of its networks.

    Returns:
        The flow.

    Raises:
        ValueError: the preset is unknown, or a size is out of range.

    Cost: that of the preset.

    Example:
        >>> vector_class_flow(4, classes=3, transforms=1).base.class_centres().shape
        torch.Size([3, 4])
    """
    if bijection not in PRESETS:
        raise ValueError(
            f"vector_class_flow: bijection is {bijection!r}, wanted one of {', '.join(sorted(PRESETS))}"
        )
    made = PRESETS[bijection](features, transforms=transforms, hidden_features=tuple(hidden_features))
    return Flow(made.bijection, ClassConditionalNormal(features, classes=classes, spread=0.5))


def vector_classifier(
    features: int,
    classes: int | Sequence[str],
    *,
    priors: Any = None,
    temperature: float = 1.0,
    loss: ClassifierLoss | None = None,
    **sizes: Any,
) -> GenerativeClassifier:
    """A generative classifier of vectors, see :func:`vector_class_flow`.

    Args:
        features: number of features.
        classes: number of classes, or their names.
        priors, temperature, loss: see :class:`GenerativeClassifier`.
        sizes: further arguments of :func:`vector_class_flow`.

    Returns:
        The classifier, untrained.

    Example:
        >>> vector_classifier(4, ("setosa", "versicolor", "virginica"), transforms=1).classes
        3
    """
    count = classes if isinstance(classes, int) else len(classes)
    flow = vector_class_flow(features, count, **sizes)
    return GenerativeClassifier(flow, classes, priors=priors, temperature=temperature, loss=loss)
