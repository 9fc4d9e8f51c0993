"""Means and covariances of classes from few recordings: what noise alone could show is left out."""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = 1e-4  # of correlations, so that fewer recordings than channels have a density too


def pooled_factors(residuals: Tensor, neighbours: int) -> Tensor:
    r"""Triangular factors of the covariance of the channels at every frequency ``(T, C, C)``.

    .. math:: \Sigma_t = d_t \Big(\frac{N}{N + 5 C} R_t + \frac{5 C}{N + 5 C} \bar R_t\Big) d_t

    with deviations d, the correlations R of the channels at a frequency, and their mean over the neighbouring
    ones: strengths change with frequency more quickly than who goes with whom.

    Args:
        residuals: coefficients minus the means of their classes ``(N, C, T)``.
        neighbours: how many frequencies on either side make the mean.

    Example:
        >>> rows = torch.randn(50, 2, 3, generator=torch.Generator().manual_seed(0))
        >>> pooled_factors(rows, neighbours=1).shape
        torch.Size([3, 2, 2])
    """
    rows, channels, _ = residuals.shape
    deviations = residuals.square().mean(0).sqrt().clamp_min(torch.finfo(residuals.dtype).tiny)  # (C, T)
    standard = residuals / deviations
    own = torch.einsum("nat,nbt->abt", standard, standard) / rows  # (C, C, T)
    sums, near = summed_neighbours(own, neighbours)
    trust = rows / (rows + 5 * channels)
    mixed = (trust * own + (1 - trust) * sums / near).movedim(-1, 0)  # (T, C, C)
    eye = torch.eye(channels, dtype=mixed.dtype, device=mixed.device)
    return deviations.T[:, :, None] * torch.linalg.cholesky(mixed + RIDGE * eye)


def kept_differences(differences: Tensor, counts: Tensor, neighbours: int) -> Tensor:
    r"""How much of the differences between class means to believe at every frequency, in 0..1, ``(T,)``.

    .. math:: w_t = \Big(1 - \frac{d - 2}{\sum_c n_c \|\delta_{ct}\|^2}\Big)_+, \qquad d = C (K - 1)

    sums and d taken over the neighbouring frequencies too. Without any difference the sum is about d.

    Reference: James, Stein (1961), Estimation with quadratic loss,
    https://projecteuclid.org/euclid.bsmsp/1200512173; positive part: Baranchik (1964)

    Args:
        differences: whitened means minus their common mean ``(K, C, T)``.
        counts: recordings of every class ``(K,)``.
        neighbours: how many frequencies on either side are taken together.

    Example:
        >>> kept_differences(torch.zeros(2, 4, 3), torch.tensor([10, 10]), neighbours=0)
        tensor([0., 0., 0.])
    """
    squares = torch.einsum("k,kct->t", counts.to(differences), differences.square())
    sums, near = summed_neighbours(squares, neighbours)
    dimensions = near * differences.shape[1] * (len(counts) - 1)
    tiny = torch.finfo(sums.dtype).tiny
    return (1 - (dimensions - 2).clamp_min(0) / sums.clamp_min(tiny)).clamp_min(0)


def kept_ratios(whitened: Tensor, counts: Tensor, neighbours: int) -> Tensor:
    r"""Covariances of classes relative to the common one, with the identity wherever it could be noise.

    Averaged over neighbouring frequencies; eigenvalues between the ends of the law of Marchenko and Pastur,
    moved out by the width of the law of Tracy and Widom,

    .. math:: \big(1 \pm \sqrt{C / m_c}\big)^2 \pm \sigma_c, \qquad m_c = n_c \cdot \text{(frequencies
        taken together)},

    become 1, for unit covariance shows such ones. The eigenvectors of the others are the common spatial
    patterns of that frequency.

    Reference: Marchenko, Pastur (1967), https://doi.org/10.1070/SM1967v001n04ABEH001994; Johnstone (2001),
    https://doi.org/10.1214/aos/1009210544, for the width; common spatial patterns: Koles, Lazar, Zhou (1990),
    https://doi.org/10.1007/BF01129656

    Args:
        whitened: covariances of every class and frequency after whitening ``(K, T, C, C)``.
        counts: recordings of every class ``(K,)``.
        neighbours: how many frequencies on either side are taken together.

    Returns:
        Tensor ``(K, T, C, C)``, positive definite.

    Example:
        >>> found = kept_ratios(1.05 * torch.eye(2).expand(2, 3, 2, 2), torch.tensor([40, 40]), neighbours=1)
        >>> bool((found - torch.eye(2)).abs().max() < 1e-6)
        True
    """
    sums, near = summed_neighbours(whitened.movedim(1, -1), neighbours)
    values, vectors = torch.linalg.eigh((sums / near).movedim(-1, 1))
    low, high = _noise_ends(whitened.shape[-1], counts[:, None, None] * near[:, None])  # (K, T, 1)
    noise = (values >= low) & (values <= high)
    values = torch.where(noise, torch.ones_like(values), values.clamp_min(1e-3))
    return (vectors * values[..., None, :]) @ vectors.mT


def _noise_ends(channels: int, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Between which eigenvalues the covariance of that much white noise hardly ever leaves."""
    ratio = (channels / rows).sqrt()
    width = (1 + ratio) * (1 + 1 / ratio).pow(1 / 3) * rows.pow(-2 / 3)
    return (1 - ratio).clamp_min(0).square() - width, (1 + ratio).square() + width


def summed_neighbours(table: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Sums over the last dimension from ``-neighbours`` to ``+neighbours``, and how many there were ``(T,)``.

    Example:
        >>> summed_neighbours(torch.tensor([1.0, 2.0, 4.0]), 1)
        (tensor([3., 7., 6.]), tensor([2., 3., 2.]))
    """
    times = table.shape[-1]
    place = torch.arange(times, device=table.device)
    near = ((place[:, None] - place).abs() <= neighbours).to(table.dtype)  # (T, T)
    return table @ near, near.sum(0)
