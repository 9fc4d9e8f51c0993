"""Class loss and bits per dimension, averaged."""

from __future__ import annotations

from torch import Tensor

from preimage.classify.evidence import Evidence
from preimage.classify.losses.loss import ClassifierLoss, check_smoothing, check_weight


class ClassAndBitsLoss(ClassifierLoss):
    r"""The weighted mean of cross-entropy and bits per dimension.

    .. math:: L = \frac{-\log p_t(c \mid x) + f \cdot b}{1 + f}, \qquad b = -\frac{\log_2 p(x \mid c)}{D}

    The same balance as :class:`ClassAndDensityLoss` with :math:`\alpha = f / (D \ln 2)`, divided by
    :math:`1 + f`, so that the size of the loss hardly depends on f.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), https://arxiv.org/abs/2001.06448, for the
    balance of the two terms.

    Args:
        factor: weight f of the bits per dimension, 0 or more.
        smoothing: label smoothing of the class term, in [0, 1).

    Raises:
        ValueError: factor or smoothing is out of range.

    Cost: O(N K) beside the densities.

    Example:
        >>> import torch
        >>> evidence = Evidence(torch.zeros(1, 2), torch.zeros(2), torch.ones(()), torch.tensor([0]), 4)
        >>> ClassAndBitsLoss(factor=1.0).rows(evidence)
        tensor([0.3466])
    """

    def __init__(self, factor: float = 1.0, smoothing: float = 0.0) -> None:
        check_weight("ClassAndBitsLoss", "factor", factor)
        check_smoothing("ClassAndBitsLoss", smoothing)
        self.factor, self.smoothing = factor, smoothing

    def rows(self, evidence: Evidence) -> Tensor:
        """The weighted mean ``(N,)``."""
        both = evidence.cross_entropy(self.smoothing) + self.factor * evidence.bits_per_dim()
        return both / (1 + self.factor)
