"""Latents whose elements learn whether they depend on the class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.checks import Context
from preimage.flows.bases.class_conditional.contract import ClassConditional, check_classes
from preimage.functional.event import sum_event


class GatedClassConditionalNormal(ClassConditional):
    r"""Every element is a mixture of one normal distribution for its class and one for all classes.

    .. math:: p(z \mid c) = \prod_i \left[ g_i\, \mathcal N(z_i; \mu_{ci}, \sigma_{ci}^2)
        + (1 - g_i)\, \mathcal N(z_i; m_i, s_i^2) \right], \qquad g_i = \sigma(r_i)

    The gates say afterwards which elements carry the class. A far value of one element counts little: its
    evidence is bounded by the shared part.

    Reference: the per-element form of Hastie, Tibshirani (1996), Discriminant analysis by Gaussian mixtures,
    https://doi.org/10.1111/j.2517-6161.1996.tb02073.x

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        spread: standard deviation of the class means at the start.

    Raises:
        ValueError: fewer than two classes.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z) K) in time; one class at a time, so that memory stays that of z.

    Example:
        >>> import torch
        >>> GatedClassConditionalNormal(4, classes=3).class_log_prob(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def __init__(self, *event_shape: int, classes: int, spread: float = 1.0) -> None:
        super().__init__(event_shape)
        check_classes("GatedClassConditionalNormal", classes)
        self.event_shape, self.classes = event_shape, classes
        self.location = nn.Parameter(spread * torch.randn(classes, *event_shape))
        self.log_scale = nn.Parameter(torch.zeros(classes, *event_shape))
        self.shared_location = nn.Parameter(torch.zeros(event_shape))
        self.shared_log_scale = nn.Parameter(torch.zeros(event_shape))
        self.gate_logits = nn.Parameter(torch.zeros(event_shape))

    def gates(self) -> Tensor:
        """How far every element depends on the class, in [0, 1], ``event``."""
        return self.gate_logits.sigmoid()

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        shared = _log_normal(z, self.shared_location, self.shared_log_scale)
        shared = shared + functional.logsigmoid(-self.gate_logits)
        every = zip(self.location, self.log_scale, strict=True)
        each = [self._mixed(_log_normal(z, mean, log_scale), shared) for mean, log_scale in every]
        return torch.stack(each, dim=1)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Every element of its own or of the shared kind ``(N, *event)``."""
        labels = self.labels(context)
        gates = self.gates().detach().expand(rows, *self.event_shape)
        own = torch.bernoulli(gates, generator=generator).bool()
        location = torch.where(own, self.location[labels], self.shared_location)
        log_scale = torch.where(own, self.log_scale[labels], self.shared_log_scale)
        return location + log_scale.exp() * torch.empty_like(location).normal_(generator=generator)

    def class_centres(self) -> Tensor:
        """The mean of the likelier kind of every element, ``(K, *event)``."""
        return torch.where(self.gate_logits >= 0, self.location, self.shared_location)

    @property
    def reparametrised(self) -> bool:
        """No: the choice of the kind is not differentiable."""
        return False

    def _mixed(self, own: Tensor, shared: Tensor) -> Tensor:
        return sum_event(torch.logaddexp(own + functional.logsigmoid(self.gate_logits), shared))


def _log_normal(z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """The log-density of every element of z ``(N, *event)``."""
    deviation = (z - mean) * torch.exp(-log_scale)
    return -0.5 * deviation.square() - log_scale - 0.5 * math.log(2 * math.pi)
