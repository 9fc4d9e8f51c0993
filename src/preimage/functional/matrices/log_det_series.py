"""log det(I + J) of a contraction by its power series: estimates with standard errors."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from preimage.functional.matrices.jacobian import RowMap


class LogDetEstimate(NamedTuple):
    """An estimate of a log-determinant, with how far it may be off.

    Args:
        value: the estimate ``(N,)``.
        standard_error: standard deviation of the value, estimated from the spread of the probes ``(N,)``; NaN
            for a single probe.
        bias_bound: how far the mean of the value may be off, 0 for unbiased estimates.
        probes: number of independent estimates of which value is the mean.

    Example:
        >>> LogDetEstimate(torch.zeros(1), torch.ones(1), 0.0, 9).interval(2.0)
        (tensor([-2.]), tensor([2.]))
    """

    value: Tensor
    standard_error: Tensor
    bias_bound: float
    probes: int

    def interval(self, quantile: float) -> tuple[Tensor, Tensor]:
        """Both ends of value plus and minus ``quantile`` standard errors and the bias.

        Args:
            quantile: that of Student's distribution with ``probes - 1`` degrees of freedom for a confidence
                interval, such as 2.04 for 95 % with 32 probes.
        """
        width = quantile * self.standard_error + self.bias_bound
        return self.value - width, self.value + width


def rademacher(like: Tensor, probes: int, generator: torch.Generator | None) -> Tensor:
    """Random signs ``(probes * N, D)``: independent, of mean 0 and variance 1.

    Args:
        like: tensor ``(N, D)``, for shape, dtype and device.
        probes: number of vectors for each row.
        generator: source of randomness; the global one by default.

    Example:
        >>> rademacher(torch.zeros(2, 3), 5, None).abs().sum().item()
        30.0
    """
    shape = (probes * like.shape[0], like.shape[1])
    bits = torch.randint(0, 2, shape, generator=generator, device=like.device)
    return (2 * bits - 1).to(like.dtype)


def series_log_det(function: RowMap, x: Tensor, directions: Tensor, weights: Tensor) -> Tensor:
    r"""Weighted power series of :math:`\log\det(I + J)` seen through random directions v,

    .. math:: \sum_{k=1}^{K} w_k \frac{(-1)^{k+1}}{k}\, v^T J^k v.

    The gradient is that of the same series summed up by Neumann,
    :math:`\sum_{k \ge 0} (-1)^k w_{k+1}\, v^T J^k\, \partial J\, v`: one product with a derivative of J,
    so memory does not grow with the number of terms.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows, section 3.1 and 3.2,
    https://arxiv.org/abs/1906.02735

    Args:
        function: the contraction g, see :data:`~preimage.functional.matrices.jacobian.RowMap`.
        x: where, ``(N, D)``.
        directions: random vectors of mean 0 and covariance I, ``(M * N, D)``.
        weights: factors of the terms, ``(M, K)``.

    Returns:
        One estimate per probe, ``(M, N)``.

    Cost: K products with the transposed Jacobian and one with the Jacobian, each for M * N rows.

    Example:
        >>> x = torch.zeros(1, 2, dtype=torch.float64)
        >>> series_log_det(lambda x: 0.1 * x, x, torch.ones(1, 2).double(), torch.ones(1, 12)).item() / 2
        0.0953101798043...
    """
    probes = weights.shape[0]
    many = x.repeat(probes, 1)  # (M N, D)
    value, neumann = _walk(function, many.detach(), directions, weights.to(x.dtype))
    if torch.is_grad_enabled():
        slope = torch.func.jvp(function, (many,), (directions,))[1]
        surrogate = (neumann * slope).sum(1).view(probes, -1)
        value = value + (surrogate - surrogate.detach())
    return value


@torch.no_grad()
def _walk(function: RowMap, x: Tensor, directions: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The value of the series ``(M, N)``, and the row vectors of Neumann's series ``(M N, D)``."""
    pull = torch.func.vjp(function, x)[1]
    rows = x.shape[0] // weights.shape[0]
    left, neumann = directions, torch.zeros_like(directions)
    value = x.new_zeros(weights.shape[0], rows)
    for k in range(1, weights.shape[1] + 1):
        weight = weights[:, k - 1]
        sign = -1.0 if k % 2 == 0 else 1.0
        neumann = neumann + sign * weight.repeat_interleave(rows)[:, None] * left
        left = pull(left)[0]
        value = value + sign / k * weight[:, None] * (left * directions).sum(1).view(-1, rows)
    return value, neumann


def roulette_weights(
    probes: int, terms: int, continuation: float, generator: torch.Generator | None = None
) -> Tensor:
    r"""Random lengths of a series, and the weights that keep its mean: :math:`w_k = 1[k \le n] / P(n \ge k)`.

    The first ``terms`` terms are always there; after each one the series goes on with probability q. The
    variance is finite if the terms shrink faster than :math:`\sqrt q^{\,k}`.

    Reference: Kahn (1955), Use of different Monte Carlo sampling techniques; Chen, Behrmann, Duvenaud,
    Jacobsen (2019), https://arxiv.org/abs/1906.02735

    Args:
        probes: number M of series.
        terms: number of terms that are always there, 1 or more.
        continuation: the probability q, from 0 to below 1.
        generator: source of randomness; the global one by default.

    Returns:
        Tensor ``(M, K)``, float64, K the longest length.

    Cost: O(M K).

    Example:
        >>> roulette_weights(1, 3, 0.0)
        tensor([[1., 1., 1.]], dtype=torch.float64)
    """
    device = None if generator is None else generator.device
    uniform = torch.rand(probes, generator=generator, dtype=torch.float64, device=device).cpu()
    more = torch.zeros(probes, dtype=torch.float64)
    if continuation > 0:
        more = torch.floor(torch.log1p(-uniform) / math.log(continuation))  # geometric
    k = torch.arange(1, terms + int(more.max()) + 1, dtype=torch.float64)
    survival = (
        torch.exp((k - terms).clamp_min(0) * math.log(continuation)) if continuation > 0 else k <= terms
    )
    return (k <= terms + more[:, None]) / torch.as_tensor(survival, dtype=torch.float64)
