"""The usual matrices that make features uncorrelated with variance 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WHITENINGS: dict[str, Callable[[Tensor], Tensor]] = {}
"""Every method by name: a function from a covariance ``(C, C)`` to a whitening matrix ``(C, C)``."""

Method = Callable[[Tensor], Tensor]


def whitening(name: str) -> Callable[[Method], Method]:
    """Register a function that computes a whitening matrix from a positive definite covariance.

    Args:
        name: its name, unique.

    Returns:
        A decorator that gives the function back.

    Raises:
        ValueError: the name is taken.
    """

    def register(method: Method) -> Method:
        if name in WHITENINGS:
            raise ValueError(f"whitening {name!r} exists already; give the new one another name")
        WHITENINGS[name] = method
        return method

    return register


def whitening_matrix(covariance: Tensor, method: str) -> Tensor:
    r"""A matrix K with :math:`K C K^T = I`, one of the five that are in common use.

    ==========  ==============================================  =========================================
    method      K                                               the whitened features
    ==========  ==============================================  =========================================
    zca         :math:`C^{-1/2}`                                closest to the originals
    pca         :math:`\Lambda^{-1/2} U^T`                      principal components, largest first
    cholesky    :math:`L^{-1}` with :math:`C = L L^T`           feature i from the first i originals
    zca_cor     :math:`P^{-1/2} V^{-1/2}`                       closest to the standardised originals
    pca_cor     :math:`\Theta^{-1/2} G^T V^{-1/2}`              components of the correlations
    ==========  ==============================================  =========================================

    with :math:`C = U \Lambda U^T`, variances V, correlations :math:`P = G \Theta G^T`. Eigenvectors have the
    sign that makes their largest entry positive.

    Reference: Kessy, Lewin, Strimmer (2018), Optimal whitening and decorrelation,
    https://doi.org/10.1080/00031305.2016.1277159

    Args:
        covariance: C, symmetric and positive definite ``(C, C)``.
        method: a name of the table, or of :data:`WHITENINGS`.

    Returns:
        K ``(C, C)``.

    Raises:
        ValueError: no method has this name.

    Cost: O(C^3).

    Example:
        >>> whitening_matrix(torch.tensor([[4.0, 0.0], [0.0, 1.0]]), "zca")
        tensor([[0.5000, 0.0000],
                [0.0000, 1.0000]])
    """
    if method not in WHITENINGS:
        raise ValueError(f"method is {method!r}, wanted one of {', '.join(map(repr, WHITENINGS))}")
    return WHITENINGS[method](covariance)


@whitening("zca")
def _zca(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.rsqrt()) @ vectors.mT


@whitening("pca")
def _pca(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return ((vectors * largest.sign() * values.rsqrt()).mT).flip(0)


@whitening("cholesky")
def _cholesky(covariance: Tensor) -> Tensor:
    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), identity, upper=False)


@whitening("zca_cor")
def _zca_cor(covariance: Tensor) -> Tensor:
    inverse_deviation = covariance.diagonal().rsqrt()
    return _zca(_correlation(covariance, inverse_deviation)) * inverse_deviation


@whitening("pca_cor")
def _pca_cor(covariance: Tensor) -> Tensor:
    inverse_deviation = covariance.diagonal().rsqrt()
    return _pca(_correlation(covariance, inverse_deviation)) * inverse_deviation


def _correlation(covariance: Tensor, inverse_deviation: Tensor) -> Tensor:
    return inverse_deviation[:, None] * covariance * inverse_deviation
