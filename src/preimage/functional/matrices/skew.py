"""Orthogonal matrices from skew-symmetric ones, and back."""

from __future__ import annotations

import torch
from torch import Tensor


def triangle_size(features: int) -> int:
    """Number of entries below the diagonal of a square matrix, n (n - 1) / 2.

    Example:
        >>> triangle_size(4)
        6
    """
    return features * (features - 1) // 2


def fill_below_diagonal(entries: Tensor, features: int) -> Tensor:
    """The strictly lower triangular matrix with these entries, row by row.

    Args:
        entries: tensor ``(..., n (n - 1) / 2)``.
        features: n.

    Returns:
        Tensor ``(..., n, n)``.

    Example:
        >>> fill_below_diagonal(torch.tensor([1.0, 2.0, 3.0]), 3)
        tensor([[0., 0., 0.],
                [1., 0., 0.],
                [2., 3., 0.]])
    """
    rows, columns = torch.tril_indices(features, features, -1, device=entries.device)
    empty = entries.new_zeros(*entries.shape[:-1], features * features)
    return empty.index_copy(-1, rows * features + columns, entries).unflatten(-1, (features, features))


def skew_matrix(entries: Tensor, features: int) -> Tensor:
    r"""The skew-symmetric matrix :math:`A = L - L^T` with these entries below its diagonal.

    Args:
        entries: tensor ``(..., n (n - 1) / 2)``.
        features: n.

    Returns:
        Tensor ``(..., n, n)``.

    Example:
        >>> skew_matrix(torch.tensor([2.0]), 2)
        tensor([[ 0., -2.],
                [ 2.,  0.]])
    """
    lower = fill_below_diagonal(entries, features)
    return lower - lower.mT


def below_diagonal(matrix: Tensor) -> Tensor:
    """The entries below the diagonal, row by row: what :func:`fill_below_diagonal` takes.

    Example:
        >>> below_diagonal(torch.arange(4.0).view(2, 2))
        tensor([2.])
    """
    rows, columns = torch.tril_indices(matrix.shape[-2], matrix.shape[-1], -1, device=matrix.device)
    return matrix[..., rows, columns]


def cayley(skew: Tensor) -> Tensor:
    r"""The Cayley map, :math:`W = (I + A)^{-1} (I - A)`: a rotation without the eigenvalue -1.

    Reference: Cayley (1846), https://doi.org/10.1515/crll.1846.32.119; in networks: Helfrich, Willmott, Ye
    (2018), https://arxiv.org/abs/1707.09520

    Args:
        skew: skew-symmetric matrices A ``(..., n, n)``.

    Returns:
        W ``(..., n, n)``, orthogonal to rounding as long as the entries of A stay below some 1e4.

    Cost: one LU factorisation and two products of matrices, O(n^3).

    Example:
        >>> cayley(skew_matrix(torch.tensor([1.0]), 2)).round(decimals=3) + 0.0
        tensor([[ 0.,  1.],
                [-1.,  0.]])
    """
    identity = torch.eye(skew.shape[-1], dtype=skew.dtype, device=skew.device)
    return nearer_orthogonal(torch.linalg.solve(identity + skew, identity - skew))


def rotation_exponential(skew: Tensor) -> Tensor:
    r"""The matrix exponential :math:`W = e^A` of a skew-symmetric matrix: any rotation.

    Reference: Lezcano-Casado, Martinez-Rubio (2019), https://arxiv.org/abs/1901.08428

    Args:
        skew: skew-symmetric matrices A ``(..., n, n)``.

    Returns:
        W ``(..., n, n)``, orthogonal to rounding.

    Cost: some ten to twenty products of matrices, O(n^3).

    Example:
        >>> rotation_exponential(skew_matrix(torch.tensor([torch.pi / 2]), 2)).round(decimals=3) + 0.0
        tensor([[ 0., -1.],
                [ 1.,  0.]])
    """
    return nearer_orthogonal(torch.linalg.matrix_exp(skew))


def nearer_orthogonal(matrix: Tensor) -> Tensor:
    r"""One Newton step towards the nearest orthogonal matrix, :math:`W (3 I - W^T W) / 2`.

    An error of 1e-4 in :math:`W^T W` becomes one of 1e-8. A matrix that is orthogonal already stays, and so
    do its derivatives along orthogonal matrices.

    Reference: Higham (1986), Computing the polar decomposition, https://doi.org/10.1137/0907079

    Args:
        matrix: W ``(..., n, n)``, orthogonal up to an error well below 1.

    Returns:
        Tensor ``(..., n, n)``.

    Cost: two products of matrices.

    Example:
        >>> nearer_orthogonal(torch.tensor([[1.01]]))
        tensor([[0.9998]])
    """
    return 1.5 * matrix - 0.5 * matrix @ (matrix.mT @ matrix)


def inverse_cayley(matrix: Tensor) -> tuple[Tensor, Tensor]:
    r"""A and signs s with :math:`W = (I + A)^{-1} (I - A) \operatorname{diag}(s)`, for any orthogonal W.

    The signs make :math:`W + \operatorname{diag}(s)` far from singular: in Gaussian elimination each sign is
    that of its pivot, so that no pivot is smaller than 1.

    Reference: O'Dorney (2014), Minimizing the Cayley transform of an orthogonal matrix by multiplying by
    signature matrices, https://doi.org/10.1016/j.laa.2014.02.005; the elimination after Ballard et al.
    (2014), https://doi.org/10.1016/j.jpdc.2015.06.003

    Args:
        matrix: orthogonal W ``(n, n)``.

    Returns:
        A ``(n, n)``, and the signs ``(n,)``.

    Cost: O(n^3), in n steps.

    Example:
        >>> skew, signs = inverse_cayley(-torch.eye(2))
        >>> skew.abs().max().item(), signs
        (0.0, tensor([-1., -1.]))
    """
    signs, rest = torch.ones_like(matrix[0]), matrix.clone()
    for i in range(len(matrix)):
        signs[i] = torch.where(rest[i, i] < 0, -1.0, 1.0)
        pivot = rest[i, i] + signs[i]
        rest[i + 1 :, i + 1 :] -= torch.outer(rest[i + 1 :, i] / pivot, rest[i, i + 1 :])
    identity = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    turned = matrix * signs
    skew = torch.linalg.solve(identity + turned, identity - turned)
    return (skew - skew.mT) / 2, signs


def logarithm_of_cayley(skew: Tensor) -> Tensor:
    r"""The skew B with :math:`e^B = (I + A)^{-1} (I - A)`: its eigenvalues are :math:`-2 i \arctan a_j`.

    Args:
        skew: A ``(n, n)``, with eigenvalues :math:`i a_j`.

    Returns:
        B ``(n, n)``.

    Cost: one Hermitian eigenvalue problem, O(n^3).

    Example:
        >>> logarithm_of_cayley(skew_matrix(torch.tensor([1.0]), 2)).round(decimals=3)
        tensor([[ 0.0000,  1.5710],
                [-1.5710,  0.0000]])
    """
    values, vectors = torch.linalg.eigh(-1j * skew)
    rotated = (vectors * (-2j * values.atan())) @ vectors.mH
    return (rotated.real - rotated.real.mT) / 2
