"""How well one channel alone stands for a class, whatever the other channels show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.classify.latents import direct_class_log_prob
from preimage.classify.parts import in_parts
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


class ChannelObjective:
    r"""The objective of a prototype :math:`x^*` of one channel k, over samples of all other channels.

    .. math::
        G_c(x^*) &= \log \frac1n \sum_{l=1}^n w_l\, p(x_l \mid c;\, x_{l,k} = x^*) \\
        A_c(x^*) &= \log \operatorname{softmax}_c \left( \log \frac1n \sum_{l=1}^n
            p(x_l \mid c;\, x_{l,k} = x^*)^{1/t} + \log p(c) \right)

    and the loss is :math:`-w_{prob} G_c - w_{class} A_c`. The temperature t is in the class term alone:
    without it a few samples, for which the densities of both classes happen to be large, would decide.

    Without weights, :math:`w_l = 1`, G is *not* the log-density of the channel: it is the mean density
    of the whole input over the samples, a contrast between values of the channel. With the density r of the
    other channels, :math:`w_l = 1 / r(x_{l,-k})`, it estimates the marginal density
    :math:`\log p(x_k = x^* \mid c)`, by importance sampling.

    Args:
        classifier: a fitted generative classifier of inputs ``(C, ...)``.
        channel: k, the number of the channel.
        background: samples of inputs, as the bijection takes them, ``(n, C, ...)``; their channel k is not
            looked at.
        background_log_prob: :math:`\log r(x_{l,-k})`, the log-density from which the other channels of the
            samples were drawn, ``(n,)``; None for the plain objective.

    Raises:
        ShapeError: there is no such channel, or the log-densities do not fit the samples.

    Cost: n runs of the classifier for every value of the channel.

    Example:
        >>> from preimage.bijection import Chain
        >>> from preimage.classify import GenerativeClassifier
        >>> from preimage.flows import Flow, UnitClassConditionalNormal
        >>> means = torch.tensor([[[0.0], [1.0]], [[0.0], [-1.0]]])  # two classes, two channels of one number
        >>> base = UnitClassConditionalNormal(2, 1, classes=2, means=means)
        >>> model = GenerativeClassifier(Flow(Chain(), base), classes=2)
        >>> objective = ChannelObjective(model, channel=1, background=torch.randn(50, 2, 1))
        >>> objective.evidence(torch.tensor([[1.0]])).detach().exp().round(decimals=3)
        tensor([[0.8810, 0.1190]])
    """

    def __init__(
        self,
        classifier: GenerativeClassifier,
        channel: int,
        background: Tensor,
        background_log_prob: Tensor | None = None,
    ) -> None:
        if background.dim() < 2 or not len(background) or not 0 <= channel < background.shape[1]:
            raise ShapeError(
                f"ChannelObjective: channel {channel} of samples {tuple(background.shape)}, wanted"
                " (n, C, ...) with one sample or more and a channel from 0 to C - 1"
            )
        if background_log_prob is not None and background_log_prob.shape != background.shape[:1]:
            raise ShapeError(
                f"ChannelObjective: background_log_prob has shape {tuple(background_log_prob.shape)}, wanted"
                f" ({len(background)},): one for every sample"
            )
        self.classifier, self.channel = classifier, channel
        self.background, self.background_log_prob = background, background_log_prob

    def sampled(self, rows: int, generator: torch.Generator | None = None) -> ChannelObjective:
        """The same over some of the samples, drawn at random; all of them where there are no more."""
        if rows >= len(self.background):
            return self
        chosen = torch.randperm(len(self.background), generator=generator)[:rows].to(self.background.device)
        log_prob = None if self.background_log_prob is None else self.background_log_prob[chosen]
        return ChannelObjective(self.classifier, self.channel, self.background[chosen], log_prob)

    def table(self, values: Tensor) -> Tensor:
        r""":math:`\log p(x_l \mid c;\, x_{l,k} = x^*_m)` for values ``(M, ...)``: ``(M, n, K)``."""
        return torch.stack([direct_class_log_prob(self.classifier, self._filled(value)) for value in values])

    def generative(self, table: Tensor) -> Tensor:
        """G of every value and class ``(M, K)``, from the table."""
        weighted = table if self.background_log_prob is None else table - self.background_log_prob[:, None]
        return weighted.logsumexp(dim=1) - math.log(table.shape[1])

    def discriminative(self, table: Tensor) -> Tensor:
        """A of every value and class ``(M, K)``, from the table."""
        mean = (table / self.classifier.temperature).logsumexp(dim=1) - math.log(table.shape[1])
        return (mean + self.classifier.log_prior).log_softmax(dim=1)

    def losses(
        self, values: Tensor, labels: Tensor, density_weight: float = 1.0, class_weight: float = 1.0
    ) -> Tensor:
        """The loss of values ``(M, ...)`` as prototypes of their classes ``(M,)``; differentiable."""
        table, own = self.table(values), labels[:, None]
        both = density_weight * self.generative(table) + class_weight * self.discriminative(table)
        return -both.gather(1, own)[:, 0]

    def probability(self, values: Tensor) -> Tensor:
        r"""The mean over the samples of :math:`p(c \mid x_l;\, x_{l,k} = x^*)`, ``(M, K)``; in parts."""
        return torch.stack([self._log_probability(value).exp().mean(0) for value in values])

    def evidence(self, values: Tensor) -> Tensor:
        r"""The mean over the samples of :math:`\log p(c \mid x_l;\, x_{l,k} = x^*)`, ``(M, K)``; in parts."""
        return torch.stack([self._log_probability(value).mean(0) for value in values])

    def _log_probability(self, value: Tensor) -> Tensor:
        """For every sample ``(n, K)``, without gradients."""
        table = in_parts(lambda x: direct_class_log_prob(self.classifier, x), self._filled(value.detach()))
        with torch.no_grad():
            logits = table / self.classifier.temperature + self.classifier.log_prior
            return logits.log_softmax(dim=1)

    def _filled(self, value: Tensor) -> Tensor:
        """The samples with one value in the channel ``(n, C, ...)``."""
        before, after = self.background[:, : self.channel], self.background[:, self.channel + 1 :]
        own = value.expand(len(self.background), *value.shape)[:, None]
        return torch.cat([before, own, after], dim=1)
