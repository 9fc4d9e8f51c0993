"""Mean and covariance of the features over batch, positions and processes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Moments(NamedTuple):
    """What a batch says about each feature.

    Args:
        mean: ``(C,)``.
        variance: divided by the number of rows, ``(C,)``.
        rows: how many rows there were, a scalar tensor.
    """

    mean: Tensor
    variance: Tensor
    rows: Tensor


@torch.no_grad()
def feature_moments(x: Tensor) -> Moments:
    r"""Mean :math:`\mu_c` and variance :math:`\frac1M \sum (x_c - \mu_c)^2` of every feature.

    The sums run over the batch, all positions, and all processes where ``torch.distributed`` is initialised,
    so every process gets the same numbers. The mean is subtracted before squaring.

    Reference: Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance,
    https://doi.org/10.1080/00031305.1983.10483115

    Args:
        x: tensor ``(N, C, ...)``.

    Returns:
        The moments, without gradient; NaN where there are no rows.

    Cost: two passes over x, two reductions between processes.

    Example:
        >>> feature_moments(torch.tensor([[1.0], [3.0]]))
        Moments(mean=tensor([2.]), variance=tensor([1.]), rows=tensor(2.))
    """
    rows = as_rows(x)  # (M, C)
    total = sum_over_processes(torch.cat([rows.sum(0), rows.new_full((1,), rows.shape[0])]))
    mean, count = total[:-1] / total[-1], total[-1]
    squares = sum_over_processes((rows - mean).square().sum(0))
    return Moments(mean, squares / count, count)


class Covariance(NamedTuple):
    """What a batch says about all features together.

    Args:
        mean: ``(C,)``.
        covariance: divided by the number of rows, ``(C, C)``.
        rows: how many rows there were, a scalar tensor.
    """

    mean: Tensor
    covariance: Tensor
    rows: Tensor


@torch.no_grad()
def feature_covariance(x: Tensor) -> Covariance:
    r"""Mean and covariance :math:`\frac1M \sum (x - \mu)(x - \mu)^T` of the features.

    The sums run as in :func:`feature_moments`.

    Reference: Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance,
    https://doi.org/10.1080/00031305.1983.10483115

    Args:
        x: tensor ``(N, C, ...)``.

    Returns:
        Mean, covariance and number of rows, without gradient; NaN where there are no rows.

    Cost: O(M C^2).

    Example:
        >>> feature_covariance(torch.tensor([[1.0, 1.0], [3.0, -1.0]])).covariance
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    mean, _, count = feature_moments(x)
    centred = as_rows(x) - mean
    return Covariance(mean, sum_over_processes(centred.mT @ centred) / count, count)


def may_have_rows(x: Tensor) -> bool:
    """Whether a batch says anything: false for no rows on a single process.

    Among several processes the answer is always yes: all of them must take part in the sums.

    Example:
        >>> may_have_rows(torch.ones(0, 2)), may_have_rows(torch.ones(1, 2))
        (False, True)
    """
    return _is_distributed() or x.shape[0] > 0


def as_rows(x: Tensor) -> Tensor:
    """Every position of ``(N, C, ...)`` as a row ``(M, C)``.

    Example:
        >>> as_rows(torch.ones(2, 3, 4)).shape
        torch.Size([8, 3])
    """
    last = x.movedim(1, -1)
    return last.reshape(-1, last.shape[-1])


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes; the tensor itself where there is only one.

    Example:
        >>> sum_over_processes(torch.ones(2))
        tensor([1., 1.])
    """
    if _is_distributed():
        tensor = tensor.clone()
        torch.distributed.all_reduce(tensor)
    return tensor


def _is_distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
