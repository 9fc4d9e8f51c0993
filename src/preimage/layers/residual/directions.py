"""Orthonormal directions for Sylvester maps."""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn

from preimage.functional.matrices.householder import apply_reflections


class Directions(nn.Module, abc.ABC):
    """M orthonormal directions in D dimensions.

    Example:
        >>> from preimage.layers import OrthogonalDirections
        >>> isinstance(OrthogonalDirections(3, 2), Directions)
        True
    """

    @abc.abstractmethod
    def matrix(self) -> Tensor:
        """Their columns ``(D, M)``."""


class OrthogonalDirections(Directions):
    """Any M orthonormal directions: a free matrix made orthonormal, column after column.

    Reference: van den Berg, Hasenclever, Tomczak, Welling (2018), section 4.1,
    https://arxiv.org/abs/1803.05649

    Args:
        features: number of dimensions D.
        size: number of directions M, at most D.

    Raises:
        ValueError: sizes out of range.

    Cost: one QR decomposition of D x M.

    Example:
        >>> q = OrthogonalDirections(5, 2).matrix()
        >>> torch.allclose(q.T @ q, torch.eye(2), atol=1e-5)
        True
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        if not 1 <= size <= features:
            raise ValueError(f"OrthogonalDirections: got {size} directions in {features} dimensions")
        self.raw = nn.Parameter(torch.randn(features, size))

    def matrix(self) -> Tensor:
        """The orthogonal factor of the free matrix."""
        return torch.linalg.qr(self.raw).Q


class HouseholderDirections(Directions):
    """All D directions, turned by a product of reflections.

    Reference: van den Berg, Hasenclever, Tomczak, Welling (2018), section 4.2,
    https://arxiv.org/abs/1803.05649

    Args:
        features: number of dimensions D.
        reflections: number of reflections.

    Raises:
        ValueError: sizes out of range.

    Cost: O(D^2 * reflections).

    Example:
        >>> q = HouseholderDirections(3, 2).matrix()
        >>> torch.allclose(q.T @ q, torch.eye(3), atol=1e-5)
        True
    """

    def __init__(self, features: int, reflections: int = 8) -> None:
        super().__init__()
        if features < 1 or reflections < 1:
            raise ValueError(f"HouseholderDirections: got {reflections} reflections in {features} dimensions")
        self.vectors = nn.Parameter(torch.randn(reflections, features))

    def matrix(self) -> Tensor:
        """The product of the reflections."""
        identity = torch.eye(self.vectors.shape[1], dtype=self.vectors.dtype, device=self.vectors.device)
        return apply_reflections(identity, self.vectors)


class ReversedDirections(Directions):
    """The coordinates themselves, forward or in reverse order: without parameters, for triangular maps.

    Layers with and without reversal alternate, so that every coordinate depends on every other.

    Reference: van den Berg, Hasenclever, Tomczak, Welling (2018), section 4.3,
    https://arxiv.org/abs/1803.05649

    Args:
        features: number of dimensions D.
        reverse: whether the order is reversed.

    Cost: none.

    Example:
        >>> ReversedDirections(2, reverse=True).matrix()
        tensor([[0., 1.],
                [1., 0.]])
    """

    columns: Tensor

    def __init__(self, features: int, reverse: bool = False) -> None:
        super().__init__()
        identity = torch.eye(features)
        self.register_buffer("columns", identity.flip(1) if reverse else identity)

    def matrix(self) -> Tensor:
        """A permutation matrix."""
        return self.columns
