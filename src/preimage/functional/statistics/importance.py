"""What importance weights say: a normalising constant, its error, and how many samples really count."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class ImportanceSummary(NamedTuple):
    """The normalising constant that log-weights estimate.

    Args:
        log_constant: logarithm of the mean weight ``()``.
        standard_error: its standard error ``()``, by the delta method.
        effective_samples: Kish's number of samples that count, between 1 and N, ``()``.
    """

    log_constant: Tensor
    standard_error: Tensor
    effective_samples: Tensor


def importance_summary(log_weights: Tensor) -> ImportanceSummary:
    r"""The logarithm of the mean of :math:`e^{W_n}`, with :math:`\text{ESS} = (\sum w)^2 / \sum w^2`.

    Reference: Kish (1965), Survey sampling; Owen (2013), Monte Carlo theory, methods and examples, chapter 9,
    https://artowen.su.domains/mc/

    Args:
        log_weights: ``(N,)``, N of 2 or more.

    Returns:
        The constant, its standard error, and the effective number of samples.

    Raises:
        ValueError: fewer than two weights.

    Cost: O(N).

    Example:
        >>> importance_summary(torch.zeros(64)).effective_samples
        tensor(64.)
    """
    n = log_weights.numel()
    if log_weights.dim() != 1 or n < 2:
        raise ValueError(
            f"importance_summary: got shape {tuple(log_weights.shape)}, wanted (N,), N of 2 or more"
        )
    shares = torch.softmax(log_weights, 0)  # w / sum of w
    relative_variance = (n * shares - 1).square().sum() / (n - 1)
    log_constant = torch.logsumexp(log_weights, 0) - math.log(n)
    return ImportanceSummary(log_constant, (relative_variance / n).sqrt(), 1 / shares.square().sum())
