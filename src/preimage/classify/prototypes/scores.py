"""What a classifier says about inputs that are being changed: differentiable, for any classifier."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from preimage.classify.latents import direct_class_log_prob
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


class ClassScore(abc.ABC):
    """Log-probabilities of the classes and log-densities of inputs ``(N, *event)``, with gradients.

    Example:
        >>> score = ModuleScore(nn.Linear(2, 3))
        >>> [part.shape for part in score(torch.zeros(4, 2))]
        [torch.Size([4, 3]), torch.Size([4, 3])]
    """

    @abc.abstractmethod
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\log p(c \mid x)` and :math:`\log p(x \mid c)`, both ``(N, K)``; NaN where unknown."""


class GenerativeScore(ClassScore):
    """A generative classifier, asked about what its bijection takes: nothing is dequantised.

    Args:
        classifier: a fitted :class:`~preimage.classify.GenerativeClassifier`.
    """

    def __init__(self, classifier: GenerativeClassifier) -> None:
        self.classifier = classifier

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """By Bayes' rule."""
        table = direct_class_log_prob(self.classifier, x)
        logits = table / self.classifier.temperature + self.classifier.log_prior
        return logits.log_softmax(dim=1), table


class ModuleScore(ClassScore):
    """Any network with one output for every class, with a density of the inputs beside it if there is one.

    Args:
        model: from ``(N, *event)`` to logits ``(N, K)``, in evaluation mode.
        density: a flow, or anything with ``log_prob(x) -> (N,)``, that says how natural an input is.
    """

    def __init__(self, model: nn.Module, density: Any = None) -> None:
        self.model, self.density = model, density

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Softmax of the outputs; one density for all classes."""
        logits = self.model(x)
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(x):
            came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ShapeError(
                f"prototypes: the model returned {came}, wanted logits (N, K), one for every class"
            )
        if self.density is None:
            return logits.log_softmax(dim=1), torch.full_like(logits, float("nan"))
        return logits.log_softmax(dim=1), self.density.log_prob(x)[:, None].expand_as(logits)


def as_score(model: Any, density: Any = None) -> ClassScore:
    """A classifier of any kind as a score.

    Args:
        model: a generative classifier, a score, or a network with logits.
        density: of the inputs, for networks without one.
    """
    if isinstance(model, ClassScore):
        return model
    generative = hasattr(model, "flow") and hasattr(model, "class_log_prob")
    return GenerativeScore(model) if generative and density is None else ModuleScore(model, density)
