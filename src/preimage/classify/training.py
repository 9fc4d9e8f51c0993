"""A classifier as the training loop sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from preimage.errors import ShapeError

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier
    from preimage.training.batches import Batch


class Trained(nn.Module):
    """A classifier whose ``forward`` is its loss, so that distributed training sees all of its parameters.

    Args:
        classifier: trained in place.
    """

    def __init__(self, classifier: GenerativeClassifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.training = classifier.training

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """The losses of rows ``(N,)``."""
        return self.classifier.losses(x, labels)

    @staticmethod
    def losses_of(model: nn.Module, batch: Batch) -> Tensor:
        """The objective of :func:`preimage.training.fit`."""
        if len(batch) != 2:
            raise ShapeError(
                f"GenerativeClassifier.fit: a batch holds {len(batch)} tensors, wanted data and labels; write"
                " fit(x, labels), or give a Dataset of tuples (example, label)"
            )
        return cast(Tensor, model(*batch))
