"""Distributions of numbers between 0 and 1, for bins."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.bijection import Bijection
from preimage.functional.event import sum_event


class UnitNoise(nn.Module, abc.ABC):
    """A distribution q(u | x) of u in (0, 1), of the shape of x.

    Example:
        >>> UniformUnitNoise().sample_and_log_prob(torch.zeros(2, 3))[1]
        tensor([0., 0.])
    """

    @abc.abstractmethod
    def sample_and_log_prob(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw u, differentiably in the parameters.

        Args:
            x: what the bins hold, scaled to [0, 1), ``(N, ...)``.
            generator: source of randomness; the global one by default.

        Returns:
            u of the shape of x, and its log-density ``(N,)``.
        """

    @abc.abstractmethod
    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        """The log-density of every row ``(N,)``."""


class UniformUnitNoise(UnitNoise):
    r"""Uniform noise, :math:`q(u) = 1`.

    Reference: Theis, van den Oord, Bethge (2016), A note on the evaluation of generative models,
    https://arxiv.org/abs/1511.01844

    Cost: O(numel(x)).

    Example:
        >>> UniformUnitNoise().log_prob(torch.full((2, 3), 0.5), torch.zeros(2, 3))
        tensor([0., 0.])
    """

    def sample_and_log_prob(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Uniform numbers, never 0."""
        u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return u.clamp_min(torch.finfo(x.dtype).eps / 4), x.new_zeros(x.shape[0])

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        """Zero inside."""
        return sum_event(torch.where((u < 0) | (u > 1), -math.inf, torch.zeros_like(u)))


class GaussianUnitNoise(UnitNoise):
    r"""Normal noise about the middle of the bin, cut off at its borders.

    :math:`q(u) \propto e^{-(u - 1/2)^2 / 2 \sigma^2}` on (0, 1). Unlike noise without borders it never leaves
    the bin, so that the bound is one.

    Reference: Hoogeboom, Cohen, Tomczak (2020), Learning discrete distributions by dequantization,
    https://arxiv.org/abs/2001.11235

    Args:
        deviation: standard deviation at the start, in bins; learnt.

    Raises:
        ValueError: the deviation is not positive.

    Cost: O(numel(x)).

    Example:
        >>> noise = GaussianUnitNoise(0.1)
        >>> u, log_prob = noise.sample_and_log_prob(torch.zeros(1, 1000))
        >>> 0.05 < u.std().item() < 0.15
        True
    """

    def __init__(self, deviation: float = 0.25) -> None:
        super().__init__()
        if not 0 < deviation < math.inf:
            raise ValueError(f"GaussianUnitNoise: deviation is {deviation}, wanted a positive number")
        self.log_deviation = nn.Parameter(torch.tensor(math.log(deviation)))

    def sample_and_log_prob(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Quantiles of uniform numbers."""
        uniform = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        eps = torch.finfo(x.dtype).eps
        quantile = torch.erfinv(((2 * uniform - 1) * self._half_mass()).clamp(eps - 1, 1 - eps))
        u = (0.5 + math.sqrt(2) * quantile * self.log_deviation.exp()).clamp(eps, 1 - eps)
        return u, self.log_prob(u, x)

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        """The normal log-density over the mass inside."""
        standard = (u - 0.5) * torch.exp(-self.log_deviation)
        each = -0.5 * standard.square() - self.log_deviation - 0.5 * math.log(2 * math.pi)
        inside = each - self._half_mass().log()
        return sum_event(torch.where((u < 0) | (u > 1), -math.inf, inside))

    def _half_mass(self) -> Tensor:
        """The mass of the normal distribution inside the bin."""
        return torch.erf(torch.exp(-self.log_deviation) / math.sqrt(8))


class VariationalUnitNoise(UnitNoise):
    r"""Noise of a flow, :math:`u = \sigma(f^{-1}(\epsilon \mid x))` with standard normal :math:`\epsilon`.

    The better q(u | x) follows p(y) within a bin, the tighter the bound.

    Reference: Ho, Chen, Srinivas, Duan, Abbeel (2019), Flow++, https://arxiv.org/abs/1902.00275

    Args:
        bijection: f, of tensors of the shape of x; where it takes a context, it gets x, scaled to [-1, 1).

    Cost: one run of the bijection.

    Example:
        >>> from preimage.layers import Affine
        >>> u, log_prob = VariationalUnitNoise(Affine(3)).sample_and_log_prob(torch.zeros(2, 3))
        >>> u.shape, log_prob.shape
        (torch.Size([2, 3]), torch.Size([2]))
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def sample_and_log_prob(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Through the flow, then the logistic function."""
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        logit, log_det = self.bijection.inverse_and_log_det(noise, self._context(x))
        log_prob = _standard_normal(noise) - log_det - _log_logistic_slope(logit)
        return torch.sigmoid(logit), log_prob

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        """The way back."""
        eps = torch.finfo(u.dtype).eps
        logit = torch.logit(u.clamp(eps / 4, 1 - eps / 2))
        noise, log_det = self.bijection.forward_and_log_det(logit, self._context(x))
        inside = _standard_normal(noise) + log_det - _log_logistic_slope(logit)
        beyond = sum_event(((u < 0) | (u > 1)).to(u.dtype)) > 0
        return torch.where(beyond, -math.inf, inside)

    def _context(self, x: Tensor) -> Tensor | None:
        return None if self.bijection.context_domain is None else 2 * x - 1


def _standard_normal(x: Tensor) -> Tensor:
    return sum_event(-0.5 * x.square() - 0.5 * math.log(2 * math.pi))


def _log_logistic_slope(logit: Tensor) -> Tensor:
    r"""The sum of :math:`\log \sigma'`, ``(N,)``."""
    return sum_event(functional.logsigmoid(logit) + functional.logsigmoid(-logit))
