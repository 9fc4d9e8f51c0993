"""Positive numbers from real ones, between bounds."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def bounded_exp(raw: Tensor, limit: float) -> Tensor:
    r"""A factor between 1 / limit and limit, :math:`e^{c \tanh(r / c)}` with :math:`c = \log` limit.

    Args:
        raw: any shape, any real numbers.
        limit: above 1.

    Returns:
        Tensor of the shape of raw; 1 for zeros, with slope 1 there.

    Example:
        >>> bounded_exp(torch.tensor([0.0, -100.0]), 4.0)
        tensor([1.0000, 0.2500])
    """
    size = math.log(limit)
    return torch.exp(size * torch.tanh(raw / size))
