"""Orthogonal maps of the features, parametrised by a skew-symmetric matrix."""

from __future__ import annotations

import abc
from typing import Self

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError
from preimage.functional.matrices.skew import (
    below_diagonal,
    cayley,
    inverse_cayley,
    logarithm_of_cayley,
    rotation_exponential,
    skew_matrix,
    triangle_size,
)
from preimage.layers.linear.feature_linear import FeatureLinear, check_square


class SkewOrthogonal(FeatureLinear, abc.ABC):
    r"""Orthogonal map :math:`y_p = R(A)\, D x_p + b` with A skew-symmetric and fixed signs D.

    Subclasses say how a skew matrix becomes a rotation R(A). Its determinant is 1, so that of W is the
    product of the signs.

    Args:
        features: C.
        bias: whether there is a shift b.

    Example:
        >>> issubclass(CayleyOrthogonal, SkewOrthogonal)
        True
    """

    signs: Tensor

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.entries = nn.Parameter(torch.randn(triangle_size(features)) / features**0.5)
        """The entries of A below its diagonal, row by row."""
        self.register_buffer("signs", torch.ones(features))

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True) -> Self:
        """The layer that starts with a given W.

        Args:
            matrix: an orthogonal matrix ``(C, C)`` of either determinant, such as ``torch.eye(C)``.
            bias: whether there is a shift, 0 at the start.

        Returns:
            The layer, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: it is not orthogonal.

        Cost: O(C^3), once.

        Example:
            >>> matrix = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
            >>> CayleyOrthogonal.from_matrix(matrix).matrix.allclose(matrix)
            True
        """
        check_square(cls.__name__, matrix)
        _check_orthogonal(cls.__name__, matrix)
        layer = cls(matrix.shape[0], bias).to(matrix)
        skew, signs = inverse_cayley(matrix.detach().double())
        with torch.no_grad():
            layer.entries.copy_(below_diagonal(layer.parameter_of_cayley(skew)))
            layer.signs.copy_(signs)
        return layer

    @abc.abstractmethod
    def rotation_of(self, skew: Tensor) -> Tensor:
        """R(A) ``(C, C)``."""

    @abc.abstractmethod
    def parameter_of_cayley(self, skew: Tensor) -> Tensor:
        """The A ``(C, C)`` whose rotation is the Cayley map of the given matrix."""

    def rotation(self) -> Tensor:
        """R(A) for the present parameters ``(C, C)``."""
        return self.rotation_of(skew_matrix(self.entries, self.features))

    def multiply(self, rows: Tensor) -> Tensor:
        """The signs, then the rotation."""
        return (rows * self.signs) @ self.rotation().mT

    def solve(self, rows: Tensor) -> Tensor:
        """The transpose."""
        return (rows @ self.rotation()) * self.signs

    def log_abs_det(self) -> Tensor:
        """Zero."""
        return self.signs.new_zeros(())

    def condition(self) -> Tensor:
        """One."""
        return self.signs.new_ones(())


class CayleyOrthogonal(SkewOrthogonal):
    r"""Orthogonal map by the Cayley transform, :math:`y_p = (I + A)^{-1} (I - A) D x_p + b`.

    Every orthogonal matrix is reached, up to those with an exact eigenvalue -1 of :math:`W D`, which lie at
    infinity of the parameters. log_det is exactly 0. One factorisation of C x C: the cheapest of the dense
    orthogonal maps to train, and without the long chain of :class:`~preimage.layers.Orthogonal`.

    Reference: Helfrich, Willmott, Ye (2018), Orthogonal recurrent neural networks with scaled Cayley
    transform, https://arxiv.org/abs/1707.09520

    Args:
        features: number C of features or channels. Starts at random; :meth:`from_matrix` starts anywhere
        else. bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ShapeError: x does not have C features.

    Cost: O(C^3) once a call, and C^2 a position.

    Example:
        >>> layer = CayleyOrthogonal(3)
        >>> w = layer.matrix
        >>> torch.allclose(w.mT @ w, torch.eye(3), atol=1e-6)
        True
    """

    def rotation_of(self, skew: Tensor) -> Tensor:
        """The Cayley map."""
        return cayley(skew)

    def parameter_of_cayley(self, skew: Tensor) -> Tensor:
        """The same matrix."""
        return skew


class ExponentialOrthogonal(SkewOrthogonal):
    r"""Orthogonal map by the matrix exponential, :math:`y_p = e^{A} D x_p + b` with A skew-symmetric.

    Every orthogonal matrix of the determinant of D is reached by finite parameters. log_det is exactly 0.

    Reference: Lezcano-Casado, Martinez-Rubio (2019), Cheap orthogonal constraints in neural networks,
    https://arxiv.org/abs/1901.08428

    Args:
        features: number C of features or channels. Starts at random; :meth:`from_matrix` starts anywhere
        else. bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ShapeError: x does not have C features.

    Cost: O(C^3) once a call, some four times that of :class:`CayleyOrthogonal`, and C^2 a position.

    Example:
        >>> layer = ExponentialOrthogonal(3)
        >>> w = layer.matrix
        >>> torch.allclose(w.mT @ w, torch.eye(3), atol=1e-6)
        True
    """

    def rotation_of(self, skew: Tensor) -> Tensor:
        """The matrix exponential."""
        return rotation_exponential(skew)

    def parameter_of_cayley(self, skew: Tensor) -> Tensor:
        """The logarithm of the rotation."""
        return logarithm_of_cayley(skew)


def _check_orthogonal(where: str, matrix: Tensor) -> None:
    identity = torch.eye(matrix.shape[0], dtype=matrix.dtype, device=matrix.device)
    error = (matrix.mT @ matrix - identity).abs().max().item()
    if not error <= torch.finfo(matrix.dtype).eps ** 0.5:
        raise NotInvertibleError(
            f"{where}: the matrix is not orthogonal, W'W differs from the identity by {error:.2e};"
            " write torch.linalg.qr(matrix).Q for one nearby, or use SVDLinear.from_matrix"
        )
