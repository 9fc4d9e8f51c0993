"""Log-densities of many points under many normal distributions, by matrix products."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.checks import exact_arithmetic


def diagonal_log_prob(z: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    r"""Every point under every normal distribution with independent elements, without repeating the points.

    .. math:: -\tfrac12 \sum_i \frac{(z_{ni} - \mu_{ki})^2}{\sigma_{ki}^2} - \sum_i \log\sigma_{ki}
        - \tfrac D2 \log 2\pi

    The square is multiplied out into three matrix products, around the mean of the means: what is far from
    zero but near the classes loses no digits.

    Args:
        z: points ``(N, ...)`` of D numbers.
        means, log_scales: of the distributions ``(K, ...)``.

    Returns:
        Tensor ``(N, K)``.

    Cost: O(N K D), no tensor of that size.

    Example:
        >>> diagonal_log_prob(torch.zeros(1, 2), torch.zeros(2, 2), torch.zeros(2, 2))
        tensor([[-1.8379, -1.8379]])
    """
    with exact_arithmetic(z):
        z, means, log_scales = (part.flatten(1).to(z.dtype) for part in (z, means, log_scales))
        z, means = _centred(z, means)
        precision = torch.exp(-2 * log_scales)  # (K, D)
        scaled = means * precision
        square = z.square() @ precision.T - 2 * z @ scaled.T + (means * scaled).sum(1)  # (N, K)
        return -0.5 * (square + z.shape[1] * math.log(2 * math.pi)) - log_scales.sum(1)


def unit_log_prob(z: Tensor, means: Tensor) -> Tensor:
    r"""Every point under every normal distribution with spreads 1.

    .. math:: -\tfrac12 \|z_n - \mu_k\|^2 - \tfrac D2 \log 2\pi

    Args:
        z: points ``(N, ...)`` of D numbers.
        means: of the distributions ``(K, ...)``.

    Returns:
        Tensor ``(N, K)``.

    Cost: one matrix product, O(N K D).

    Example:
        >>> unit_log_prob(torch.zeros(1, 2), torch.zeros(2, 2))
        tensor([[-1.8379, -1.8379]])
    """
    with exact_arithmetic(z):
        z, means = _centred(z.flatten(1), means.flatten(1).to(z.dtype))
        linear = z @ means.T - 0.5 * means.square().sum(1)  # (N, K)
        shared = -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))
        return shared[:, None] + linear


def _centred(z: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    centre = means.detach().mean(0)
    return z - centre, means - centre
