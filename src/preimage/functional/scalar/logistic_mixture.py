"""Mixtures of logistic distributions, seen through the logit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from preimage.functional.roots import monotone_root


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

    def blend(self, x: Tensor, line: float) -> tuple[Tensor, Tensor]:
        """The logit, and a share of x itself, which bounds the slope from below.

        Args:
            x: any shape ``(...)``.
            line: the share of x, from 0 to 1.

        Returns:
            ``(1 - line) * logit + line * x``, and its slope.

        Cost: O(K) a number.
        """
        logit, slope = self.logit(x)
        return (1 - line) * logit + line * x, (1 - line) * slope + line

    def blend_root(self, y: Tensor, line: float) -> Tensor:
        """Where :meth:`blend` has a value: between the places where single components would have it.

        Args:
            y: any shape ``(...)``, any size.
            line: as there.

        Returns:
            x, of the shape of y, with implicit gradients.

        Cost: O(K) a number and step, see :func:`~preimage.functional.roots.monotone_root`.
        """
        with torch.no_grad():
            steep = (1 - line) / self.scales
            single = (y[..., None] + steep * self.means) / (steep + line)  # (..., K)
            low, high = single.amin(-1), single.amax(-1)
            start = (self.log_weights.exp() * single).sum(-1)
            start = torch.minimum(torch.maximum(start, low), high)
        return monotone_root(lambda x: self.blend(x, line), y, low, high, steps=28, start=start)
