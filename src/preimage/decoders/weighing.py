"""Channels of features weighed by how far off they are: large ones no longer drown small ones."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

FLOOR = 1e-5  # least variance of a combination of channels, relative to the largest


@final
class Weighing:
    r"""Weights ``W = S^(-1/4)`` for residuals, S the covariance of a sample's own residual among channels.

    Weights of ``S^(-1/2)`` would make all combinations of channels equally large; half of that, in decibels,
    was better with few steps and as good with many. S is drawn towards a multiple of the identity, the more
    the fewer positions it is estimated from: with one position nothing is weighed.

    Args:
        residual: ``(N, C, ...)`` for maps, ``(N, L, C)`` for tokens, ``(N, C)``.

    Cost: an eigenvalue problem of at most as many rows as there are channels, and of positions, per sample.

    Example:
        >>> residual = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> residual[:, 1] *= 100
        >>> weighed = Weighing(residual)(residual, torch.tensor([0]))
        >>> 10 < float(weighed[0, 1].std() / weighed[0, 0].std()) < 50
        True
    """

    def __init__(self, residual: Tensor) -> None:
        self.last = residual.dim() == 3  # tokens have their channels behind their positions
        samples = self._channels(residual)  # (N, C, P)
        channels, positions = samples.shape[1:]
        self.matrix = None
        if positions > 1 and bool(samples.isfinite().all()):
            self.matrix = torch.stack([weights(s, channels / (channels + positions)) for s in samples])

    def __call__(self, residual: Tensor, rows: Tensor) -> Tensor:
        """Weighed residuals of the samples ``rows (K,)``, in the shape that they came in."""
        if self.matrix is None:
            return residual
        found = self.matrix[rows] @ self._channels(residual)
        return (found.mT if self.last else found).reshape(residual.shape)

    def _channels(self, residual: Tensor) -> Tensor:
        """``(N, C, P)``: channels and positions."""
        return (
            residual.mT if self.last else residual.flatten(2) if residual.dim() > 2 else residual[..., None]
        )


def weights(sample: Tensor, shrinkage: float) -> Tensor:
    """``S^(-1/4) (C, C)`` of one residual ``(C, P)``, S drawn towards a multiple of the identity."""
    channels, positions = sample.shape
    power = sample.double().square().mean()
    eye = torch.eye(channels, dtype=torch.float64, device=sample.device)
    if not power > 0:
        return eye.to(sample)
    vectors, sizes = principal(sample.double() / (positions * power).sqrt())
    rest = torch.full_like(sizes, shrinkage)
    size = (1 - shrinkage) * sizes + rest  # of S / power along the vectors; `shrinkage` elsewhere
    floor = FLOOR * size.max()
    other = rest.clamp_min(floor)[0] ** -0.25
    along = size.clamp_min(floor) ** -0.25 - other
    return (other * eye + (vectors * along) @ vectors.mT).to(sample)


def principal(a: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors ``(C, k)`` and eigenvalues ``(k,)`` of ``A A^T``, from the smaller Gram matrix."""
    if a.shape[0] <= a.shape[1]:
        sizes, vectors = torch.linalg.eigh(a @ a.mT)
        return vectors, sizes.clamp_min(0)
    sizes, small = torch.linalg.eigh(a.mT @ a)
    kept = sizes > 1e-12 * sizes.max()
    return a @ (small[:, kept] / sizes[kept].sqrt()), sizes[kept]
