"""Mixtures of logistic distributions, seen through the logit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from preimage.functional.monotone_root import monotone_root


class LogisticMixture(NamedTuple):
    r"""The distribution :math:`F(x) = \sum_k \pi_k\, \sigma((x - \mu_k) / s_k)`.

    Args:
        log_weights: logarithms of the weights, ``(..., K)``, whose weights have the sum 1.
        means: centres of the components, ``(..., K)``.
        scales: their scales, positive, ``(..., K)``.

    Example:
        >>> LogisticMixture(torch.zeros(1), torch.zeros(1), torch.ones(1)).logit(torch.tensor([0.5]))
        (tensor([0.5000]), tensor([1.]))
    """

    log_weights: Tensor
    means: Tensor
    scales: Tensor

    def logit(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""The logit of F, :math:`\log F(x) - \log(1 - F(x))`, and its slope.

        The slope is :math:`\sum_k p_k\,\sigma(-z_k)/s_k + q_k\,\sigma(z_k)/s_k` with the shares p of the
        components in F and q in 1 - F: positive terms, right however far x is in a tail.

        Args:
            x: any shape ``(...)``.

        Returns:
            Both, of the shape of x.

        Cost: O(K) a number.
        """
        z = (x[..., None] - self.means) / self.scales  # (..., K)
        below, above = self.log_weights + logsigmoid(z), self.log_weights + logsigmoid(-z)
        shares = below.softmax(-1) * torch.sigmoid(-z) + above.softmax(-1) * torch.sigmoid(z)
        return below.logsumexp(-1) - above.logsumexp(-1), (shares / self.scales).sum(-1)

    def quantile(self, logit: Tensor) -> Tensor:
        """The x whose F has this logit: between the least and the largest quantile of single components.

        Args:
            logit: any shape ``(...)``, any size.

        Returns:
            x, of the shape of logit, with implicit gradients.

        Cost: O(K) a number and step, see :func:`~preimage.functional.monotone_root.monotone_root`.
        """
        with torch.no_grad():
            single = self.means + self.scales * logit[..., None]  # (..., K)
            low, high = single.amin(-1), single.amax(-1)
            start = (self.log_weights.exp() * single).sum(-1)
            start = torch.minimum(torch.maximum(start, low), high)
        return monotone_root(self.logit, logit, low, high, steps=28, start=start)
