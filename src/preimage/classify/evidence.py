"""What a generative classifier says about rows with labels: the terms that its losses are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

UNLABELLED = -1
"""Label of rows whose class is unknown; they count by their marginal density."""


@dataclass(frozen=True)
class Evidence:
    r"""Log-densities of a batch under every class, with labels, priors and the temperature.

    Args:
        class_log_prob: :math:`\log p(x_n \mid c)` in nats, ``(N, K)``.
        log_prior: :math:`\log p(c)`, ``(K,)``.
        temperature: t, positive, ``()``.
        labels: classes ``(N,)``, -1 where unknown.
        dimensions: how many numbers one example holds, D.

    Example:
        >>> rows = torch.tensor([[-1.0, -3.0], [-2.0, -2.0]])
        >>> evidence = Evidence(rows, torch.zeros(2), torch.ones(()), torch.tensor([0, -1]), dimensions=1)
        >>> evidence.cross_entropy()
        tensor([0.1269, 0.0000])
    """

    class_log_prob: Tensor
    log_prior: Tensor
    temperature: Tensor
    labels: Tensor
    dimensions: int

    @property
    def labelled(self) -> Tensor:
        """Which rows have a class, bool ``(N,)``."""
        return self.labels >= 0

    def logits(self) -> Tensor:
        r""":math:`\log p(x \mid c) / t + \log p(c)`, ``(N, K)``."""
        return self.class_log_prob / self.temperature + self.log_prior

    def cross_entropy(self, smoothing: float = 0.0) -> Tensor:
        """Minus the log-probability of the own class ``(N,)``, 0 for rows without one.

        Args:
            smoothing: share of the target that is spread evenly over all classes, in [0, 1).
        """
        log_probability = self.logits().log_softmax(dim=1)
        own = (1 - smoothing) * self._own(log_probability) + smoothing * log_probability.mean(dim=1)
        return torch.where(self.labelled, -own, torch.zeros_like(own))

    def marginal_log_prob(self) -> Tensor:
        r""":math:`\log p(x) = \log \sum_c p(c)\, p(x \mid c)`, ``(N,)``."""
        return (self.class_log_prob + self.log_prior).logsumexp(dim=1)

    def surprise(self) -> Tensor:
        """Minus the log-density under the own class, or the marginal one where it is unknown, ``(N,)``."""
        return -torch.where(self.labelled, self._own(self.class_log_prob), self.marginal_log_prob())

    def bits_per_dim(self) -> Tensor:
        r""":meth:`surprise` in bits for each number, :math:`-\log_2 p / D`, ``(N,)``."""
        return self.surprise() / (self.dimensions * math.log(2))

    def _own(self, table: Tensor) -> Tensor:
        return table.gather(1, self.labels.clamp_min(0)[:, None])[:, 0]
