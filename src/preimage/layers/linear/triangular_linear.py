"""Triangular linear maps of the features."""

from __future__ import annotations

import abc
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError
from preimage.functional.matrices.skew import below_diagonal, fill_below_diagonal, triangle_size
from preimage.layers.linear.feature_linear import FeatureLinear, check_square


class TriangularLinear(FeatureLinear, abc.ABC):
    r"""Linear map :math:`y_p = W x_p + b` with W triangular and diagonal :math:`\sigma e^{a}`; never
    singular.

    Subclasses say on which side of the diagonal the free entries are. log_det is the sum of a times the
    number of positions.

    Args:
        features: number C of features or channels.
        bias: whether there is a shift b.

    Example:
        >>> issubclass(LowerTriangularLinear, TriangularLinear)
        True
    """

    upper: ClassVar[bool]
    signs: Tensor

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.entries = nn.Parameter(torch.zeros(triangle_size(features)))
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.register_buffer("signs", torch.ones(features))

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True) -> Self:
        """The layer that starts with a given W.

        Args:
            matrix: a triangular W ``(C, C)`` of the side of the class, such as a Cholesky factor.
            bias: whether there is a shift, 0 at the start.

        Returns:
            The layer, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: it is not triangular, or has a zero on its diagonal.

        Example:
            >>> matrix = torch.tensor([[2.0, 0.0], [3.0, -1.0]])
            >>> LowerTriangularLinear.from_matrix(matrix).matrix.tolist()
            [[2.0, 0.0], [3.0, -1.0]]
        """
        check_square(cls.__name__, matrix)
        lower, diagonal = matrix.detach().mT if cls.upper else matrix.detach(), matrix.detach().diagonal()
        if lower.triu(1).any() or not (diagonal.abs() > 0).all():
            side = "upper" if cls.upper else "lower"
            raise NotInvertibleError(
                f"{cls.__name__}: wanted an {side} triangular matrix with no zero on its diagonal; write"
                " LULinear.from_matrix or QRLinear.from_matrix for any other"
            )
        layer = cls(matrix.shape[0], bias).to(matrix)
        with torch.no_grad():
            layer.entries.copy_(below_diagonal(lower))
            layer.log_scale.copy_(diagonal.abs().log())
            layer.signs.copy_(diagonal.sign())
        return layer

    def lower(self) -> Tensor:
        """W, or its transpose where W is upper triangular ``(C, C)``."""
        scales = self.signs * self.log_scale.exp()
        return fill_below_diagonal(self.entries, self.features) + torch.diag_embed(scales)

    @abc.abstractmethod
    def transposed(self) -> Tensor:
        """The transpose of W ``(C, C)``, by which rows are multiplied from the right."""

    def multiply(self, rows: Tensor) -> Tensor:
        """W applied to rows."""
        return rows @ self.transposed()

    def solve(self, rows: Tensor) -> Tensor:
        """Substitution, from the one end or from the other."""
        return torch.linalg.solve_triangular(self.transposed(), rows, upper=not self.upper, left=False)

    def log_abs_det(self) -> Tensor:
        """The sum of the log-scales."""
        return self.log_scale.sum()


class LowerTriangularLinear(TriangularLinear):
    r"""Linear map :math:`y_p = L x_p + b`, L lower triangular: feature i sees the features before it.

    The inverse is one triangular solve. Never singular: the diagonal is :math:`\sigma e^{a}` with fixed
    signs.

    Reference: Kingma et al. (2016), linear inverse autoregressive flow, https://arxiv.org/abs/1606.04934

    Args:
        features: number C of features or channels. Starts as the identity; :meth:`from_matrix` starts
            anywhere else.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: C^2 a position, in either direction.

    Example:
        >>> layer = LowerTriangularLinear.from_matrix(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
        >>> layer.inverse(torch.tensor([[2.0, 3.0]])).tolist()
        [[1.0, 2.0]]
    """

    upper = False

    def transposed(self) -> Tensor:
        """L transposed."""
        return self.lower().mT


class UpperTriangularLinear(TriangularLinear):
    r"""Linear map :math:`y_p = U x_p + b`, U upper triangular: feature i sees the features behind it.

    The inverse is one triangular solve. Never singular: the diagonal is :math:`\sigma e^{a}` with fixed
    signs.

    Reference: Kingma et al. (2016), linear inverse autoregressive flow, https://arxiv.org/abs/1606.04934

    Args:
        features: number C of features or channels. Starts as the identity; :meth:`from_matrix` starts
            anywhere else.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: C^2 a position, in either direction.

    Example:
        >>> layer = UpperTriangularLinear.from_matrix(torch.tensor([[2.0, 1.0], [0.0, 1.0]]))
        >>> layer.inverse(torch.tensor([[4.0, 2.0]])).tolist()
        [[1.0, 2.0]]
    """

    upper = True

    def transposed(self) -> Tensor:
        """U transposed."""
        return self.lower()
