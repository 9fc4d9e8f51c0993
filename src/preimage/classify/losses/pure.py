"""The two ends: only the density, or only the class."""

from __future__ import annotations

from torch import Tensor

from preimage.classify.evidence import Evidence
from preimage.classify.losses.loss import ClassifierLoss, check_smoothing


class DensityLoss(ClassifierLoss):
    r"""Purely generative: the density of every class is fitted alone, :math:`L = -\log p(x \mid c) / D`.

    The maximum-likelihood fit of :math:`p(x, c)` up to the priors; the classes are told apart by Bayes' rule
    afterwards. It says most about the data and, as a rule, least about the classes.

    Reference: Ng, Jordan (2001), On discriminative vs. generative classifiers,
    https://papers.nips.cc/paper/2020-on-discriminative-vs-generative-classifiers

    Cost: O(N K) beside the densities.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[-8.0, 0.0]])
        >>> DensityLoss().rows(Evidence(rows, torch.zeros(2), torch.ones(()), torch.tensor([0]), 4))
        tensor([2.])
    """

    def rows(self, evidence: Evidence) -> Tensor:
        """The surprise of every number ``(N,)``."""
        return evidence.surprise() / evidence.dimensions


class ClassLoss(ClassifierLoss):
    r"""Purely discriminative: :math:`L = -\log p_t(c \mid x)`, which leaves the density to chance.

    Args:
        smoothing: label smoothing, in [0, 1).

    Raises:
        ValueError: smoothing is out of range.

    Cost: O(N K) beside the densities.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[0.0, 0.0]])
        >>> ClassLoss().rows(Evidence(rows, torch.zeros(2), torch.ones(()), torch.tensor([0]), 4))
        tensor([0.6931])
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        check_smoothing("ClassLoss", smoothing)
        self.smoothing = smoothing

    def rows(self, evidence: Evidence) -> Tensor:
        """The cross-entropy ``(N,)``."""
        return evidence.cross_entropy(self.smoothing)
