"""Covariances from few rows, shrunk, and with more trust inside groups than across them."""

from __future__ import annotations

import torch
from torch import Tensor


def ledoit_wolf(rows: Tensor) -> Tensor:
    r"""A covariance that is always invertible, :math:`(1 - \rho) S + \rho\, m I` with m the mean variance.

    The weight :math:`\rho` minimises the expected squared error, estimated from the rows.

    Reference: Ledoit, Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices,
    https://doi.org/10.1016/S0047-259X(03)00096-4

    Args:
        rows: centred data ``(N, D)``.

    Returns:
        Tensor ``(D, D)``.

    Cost: O(N D^2).

    Example:
        >>> ledoit_wolf(torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]]))
        tensor([[1., 1.],
                [1., 1.]])
    """
    count, size = rows.shape
    s = rows.T @ rows / count  # (D, D)
    mean = s.diagonal().mean()
    distance = (s - mean * torch.eye(size).to(s)).square().sum()
    spread = ((rows.square().T @ rows.square()) / count - s.square()).sum() / count
    weight = torch.clamp(spread / distance, 0, 1) if distance > 0 else torch.zeros(())
    return (1 - weight) * s + weight * mean * torch.eye(size).to(s)


def grouped_covariance(rows: Tensor, groups: Tensor, across: float) -> Tensor:
    r"""A covariance of standardised columns: by group, mixed with that across all groups.

    .. math:: \Sigma = d \big((1 - a)\, \operatorname{blockdiag}_g \Sigma_g + a\, \Sigma_{all}\big) d

    with d the standard deviations of the columns and shrunk covariances on the right.

    Args:
        rows: centred data ``(N, D)``.
        groups: which group every column belongs to ``(D,)``.
        across: a, in 0..1.

    Returns:
        Tensor ``(D, D)``, positive definite where no column is constant.

    Raises:
        ValueError: ``across`` is out of range.

    Cost: O(N D^2).

    Example:
        >>> rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
        >>> grouped_covariance(rows, torch.tensor([0, 0, 1, 1]), across=0.0)[0, 2:]
        tensor([0., 0.])
    """
    if not 0 <= across <= 1:
        raise ValueError(f"grouped_covariance: across is {across}, wanted a weight from 0 to 1")
    deviations = rows.square().mean(0).sqrt().clamp_min(torch.finfo(rows.dtype).tiny)
    standard = rows / deviations
    mixed = across * ledoit_wolf(standard) if across else rows.new_zeros(rows.shape[1], rows.shape[1])
    for group in groups.unique():
        inside = torch.nonzero(groups == group)[:, 0]
        mixed[inside[:, None], inside] += (1 - across) * ledoit_wolf(standard[:, inside])
    return mixed * deviations * deviations[:, None]
