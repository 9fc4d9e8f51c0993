"""The normal distribution function in its far tail."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_ROOT_HALF = math.sqrt(0.5)


def normal_cdf(x: Tensor) -> Tensor:
    r"""Distribution function, :math:`\Phi(x) = \operatorname{erfc}(-x/\sqrt2)/2`, exact to its relative
    digits.

    Args:
        x: any shape.

    Returns:
        Tensor of the shape of x, between 0 and 1.

    Example:
        >>> normal_cdf(torch.tensor([0.0, -10.0]))
        tensor([5.0000e-01, 7.6199e-24])
    """
    return torch.erfc(-x * _ROOT_HALF) / 2


def log_normal_cdf(x: Tensor) -> Tensor:
    r"""Log of the distribution function, with usable derivatives however small it is.

    Args:
        x: any shape, any size.

    Returns:
        Tensor of the shape of x.

    Example:
        >>> log_normal_cdf(torch.tensor([0.0, -1e6]))
        tensor([-6.9315e-01, -5.0000e+11])
    """
    left, right = x.clamp_max(0), x.clamp_min(0)
    tail = (torch.special.erfcx(-left * _ROOT_HALF) / 2).log() - left * left / 2
    return torch.where(x < 0, tail, torch.log1p(-torch.erfc(right * _ROOT_HALF) / 2))


def inverse_mills_ratio(x: Tensor) -> Tensor:
    r"""Density over distribution function, :math:`\varphi(x)/\Phi(x)`, about -x in the left tail.

    Args:
        x: any shape, any size.

    Returns:
        Tensor of the shape of x, positive.

    Example:
        >>> inverse_mills_ratio(torch.tensor([0.0, -1e6]))
        tensor([7.9788e-01, 1.0000e+06])
    """
    left, right = x.clamp_max(0), x.clamp_min(0)
    tail = math.sqrt(2 / math.pi) / torch.special.erfcx(-left * _ROOT_HALF)
    density = torch.exp(-right * right / 2) / math.sqrt(2 * math.pi)
    return torch.where(x < 0, tail, density / normal_cdf(right))
