"""Class loss plus a little of the generative loss."""

from __future__ import annotations

from torch import Tensor

from preimage.classify.evidence import Evidence
from preimage.classify.losses.loss import ClassifierLoss, check_smoothing, check_weight


class ClassAndDensityLoss(ClassifierLoss):
    r"""The class decides, and the density counts as much as one number of the data.

    .. math:: L = -\log \frac{p(c)\, p(x \mid c)^{1/t}}{\sum_k p(k)\, p(x \mid k)^{1/t}}
        - \alpha \log p(x \mid c), \qquad \alpha = 1 / D

    A density of D numbers holds about D times the information of one class; without the factor the class
    would hardly be heard. The temperature t is in the class term alone.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), https://arxiv.org/abs/2001.06448, for the
    balance of the two terms.

    Args:
        alpha: weight of the generative term, 0 or more; one over the number of dimensions by default.
        smoothing: label smoothing of the class term, in [0, 1).

    Raises:
        ValueError: alpha or smoothing is out of range.

    Cost: O(N K) beside the densities.

    Example:
        >>> import torch
        >>> evidence = Evidence(torch.zeros(1, 2), torch.zeros(2), torch.ones(()), torch.tensor([0]), 4)
        >>> ClassAndDensityLoss().rows(evidence)
        tensor([0.6931])
    """

    def __init__(self, alpha: float | None = None, smoothing: float = 0.0) -> None:
        if alpha is not None:
            check_weight("ClassAndDensityLoss", "alpha", alpha)
        check_smoothing("ClassAndDensityLoss", smoothing)
        self.alpha, self.smoothing = alpha, smoothing

    def rows(self, evidence: Evidence) -> Tensor:
        """Cross-entropy plus alpha times the surprise ``(N,)``."""
        alpha = 1 / evidence.dimensions if self.alpha is None else self.alpha
        return evidence.cross_entropy(self.smoothing) + alpha * evidence.surprise()
