"""The information bottleneck as a loss for invertible networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from preimage.checks import as_tuple, unpack
from preimage.classify.evidence import Evidence
from preimage.classify.losses.loss import ClassifierLoss, check_smoothing, check_weight


class InformationBottleneckLoss(ClassifierLoss):
    r"""Forget about the data what does not help to tell the classes apart.

    .. math:: L = \frac{2}{1 + \beta} \left(-\frac{1}{D} \log p(x + \varepsilon)
        - \beta \log p_t(c \mid x + \varepsilon)\right), \qquad \varepsilon \sim \mathcal N(0, \sigma^2 I)

    The first term bounds the information that the latents keep about x, and uses no label: it is the
    *marginal* density, so classes may overlap where the second term does not hold them apart. An invertible
    network keeps everything; the noise is what there is to lose.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), Training normalizing flows with the information
    bottleneck for competitive generative classification, https://arxiv.org/abs/2001.06448

    Args:
        beta: weight of the classes, 0 or more; large for classifiers, small for densities.
        noise: standard deviation of the noise on the input of the bijection while training, 0 or more.
        smoothing: label smoothing of the class term, in [0, 1).

    Raises:
        ValueError: an argument is out of range.

    Cost: O(N K) beside the densities.

    Example:
        >>> even = torch.tensor([0.5, 0.5]).log()
        >>> evidence = Evidence(torch.zeros(1, 2), even, torch.ones(()), torch.tensor([0]), 4)
        >>> InformationBottleneckLoss(beta=1.0).rows(evidence).round(decimals=3)
        tensor([0.6930])
    """

    def __init__(self, beta: float = 1.0, noise: float = 0.0, smoothing: float = 0.0) -> None:
        check_weight("InformationBottleneckLoss", "beta", beta)
        check_weight("InformationBottleneckLoss", "noise", noise)
        check_smoothing("InformationBottleneckLoss", smoothing)
        self.beta, self.noise, self.smoothing = beta, noise, smoothing

    def rows(self, evidence: Evidence) -> Tensor:
        """The weighted sum ``(N,)``."""
        density = -evidence.marginal_log_prob() / evidence.dimensions
        both = density + self.beta * evidence.cross_entropy(self.smoothing)
        return 2 / (1 + self.beta) * both

    def disturbed(self, x: Any) -> Any:
        """The input with noise."""
        if self.noise == 0:
            return x
        return unpack(part + self.noise * torch.randn_like(part) for part in as_tuple(x))
