"""A classifier that looks at an input from several sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.classify.classifier import GenerativeClassifier
from preimage.classify.parts import in_parts

View = Callable[[Any], Any]
"""Another look at rows ``(N, *event)`` that leaves their classes alone, such as a mirror."""


class AveragedViews(nn.Module):
    r"""The evidence of a fitted classifier, averaged over views of the same input.

    .. math:: s_c(x) = \frac1V \sum_v \log p(v(x) \mid c), \qquad p(c \mid x) \propto p(c)\, e^{s_c(x) / t}

    The geometric mean of the answers, asked V times: it costs V passes, and is no density of x any more, so
    there is none here. Report it beside the figures of the classifier alone. Calibrate it by itself: means
    over views are less sure.

    Reference: Krizhevsky, Sutskever, Hinton (2012), ImageNet classification with deep convolutional neural
    networks, section 4.1, for averages over views; Hinton (2002), https://doi.org/10.1162/089976602760128018,
    for products of experts

    Args:
        classifier: fitted; kept as it is.
        views: functions of rows that leave the class alone, one or more, such as :func:`unchanged`,
            :func:`mirrored` and :func:`moved`; those that it was trained with serve best.

    Raises:
        ValueError: there is no view.

    Cost: one pass a view.

    Example:
        >>> from preimage.classify import picture_classifier
        >>> torch.manual_seed(0) and None
        >>> model = picture_classifier((1, 8, 8), 3, steps=(1,), hidden_channels=(4,)).eval()
        >>> both = AveragedViews(model, (unchanged, mirrored))
        >>> x = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
        >>> torch.equal(both.predict(x), both.predict(x.flip(-1)))
        True
    """

    log_prior: Tensor

    def __init__(self, classifier: GenerativeClassifier, views: Sequence[View]) -> None:
        super().__init__()
        if not views:
            raise ValueError("AveragedViews: got no views, wanted one or more, such as (unchanged, mirrored)")
        self.classifier, self.views = classifier, tuple(views)
        self.register_buffer("log_prior", classifier.log_prior.detach().clone())
        self.log_temperature = nn.Parameter(classifier.log_temperature.detach().clone())

    @property
    def classes(self) -> int:
        """The number of classes K."""
        return self.classifier.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.classifier.class_names

    @property
    def temperature(self) -> Tensor:
        """t, a positive number ``()``; at first that of the classifier."""
        return self.log_temperature.exp()

    def forward(self, x: Any) -> Tensor:
        """The logits ``(N, K)``."""
        return self.class_scores(x) / self.temperature + self.log_prior

    def class_scores(self, x: Any) -> Tensor:
        """The mean over views of the log-densities, up to a constant of every row, ``(N, K)``."""
        return torch.stack([self.classifier.class_scores(view(x)) for view in self.views]).mean(0)

    def predict_proba(self, x: Any) -> Tensor:
        """The probability of every class ``(N, K)``; in parts, without gradients."""
        return in_parts(self.forward, x).softmax(dim=1)

    def predict(self, x: Any) -> Tensor:
        """The most probable class of every row, whole numbers ``(N,)``."""
        return in_parts(self.forward, x).argmax(dim=1)


def unchanged(x: Any) -> Any:
    """The input itself.

    Example:
        >>> unchanged(torch.tensor([1, 2]))
        tensor([1, 2])
    """
    return x


def mirrored(x: Tensor) -> Tensor:
    """Pictures ``(..., W)`` with left and right exchanged.

    Example:
        >>> mirrored(torch.tensor([1, 2]))
        tensor([2, 1])
    """
    return x.flip(-1)


def moved(down: int, right: int) -> View:
    """A view of pictures ``(..., H, W)`` moved by whole pixels; what comes in from outside is zero.

    Args:
        down: pixels, negative for up.
        right: pixels, negative for left.

    Returns:
        The function.

    Example:
        >>> moved(0, 1)(torch.tensor([[1, 2, 3]]))
        tensor([[0, 1, 2]])
    """

    def view(x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        up, left = max(0, -down), max(0, -right)
        padded = nn.functional.pad(x, (max(0, right), left, max(0, down), up))
        return padded[..., up : up + height, left : left + width]

    return view
