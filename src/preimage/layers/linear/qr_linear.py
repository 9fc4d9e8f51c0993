"""Linear map of the features, parametrised by its QR decomposition."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.errors import NotInvertibleError
from preimage.functional.matrices.rows import RowFunction, as_matrix
from preimage.layers.linear.feature_linear import FeatureLinear, check_square
from preimage.layers.linear.orthogonal import Orthogonal
from preimage.layers.linear.triangular_linear import UpperTriangularLinear


class QRLinear(FeatureLinear):
    r"""Linear map :math:`y_p = Q R x_p + b`, Q a product of reflections, R upper triangular.

    The diagonal of R is positive, so W is never singular. The inverse is a transpose and one triangular
    solve; log_det is the sum of the log-diagonal of R times the number of positions. Every matrix whose
    determinant has the sign of that of Q is reached.

    Reference: Hoogeboom, van den Berg, Welling (2019), Emerging convolutions, section 3.3,
    https://arxiv.org/abs/1901.11137

    Args:
        features: number C of features or channels. Starts as a random orthogonal matrix; :meth:`from_matrix`
            starts anywhere else.
        reflections: reflections of Q, 1 to C; C by default.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: that of an :class:`~preimage.layers.Orthogonal` layer and of C^2 a position, in either direction.

    Example:
        >>> matrix = torch.tensor([[0.0, 2.0], [1.0, 3.0]])
        >>> QRLinear.from_matrix(matrix).matrix.allclose(matrix, atol=1e-6)
        True
    """

    def __init__(self, features: int, reflections: int | None = None, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.orthogonal = Orthogonal(features, reflections, bias=False)
        self.triangular = UpperTriangularLinear(features, bias=False)

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True) -> QRLinear:
        """The layer that starts with a given W.

        Args:
            matrix: W ``(C, C)``.
            bias: whether there is a shift, 0 at the start.

        Returns:
            The layer, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: it is singular.

        Cost: O(C^3), once.

        Example:
            >>> QRLinear.from_matrix(3 * torch.eye(2)).log_abs_det().exp().round().item()
            9.0
        """
        check_square("QRLinear", matrix)
        q, r = torch.linalg.qr(matrix.detach().double())
        signs = torch.where(r.diagonal() < 0, -1.0, 1.0).to(r)
        if not (r.diagonal().abs() > 0).all():
            raise NotInvertibleError("QRLinear: the matrix is singular, wanted an invertible one")
        layer = cls(matrix.shape[0], bias=bias).to(matrix)
        layer.orthogonal.set_matrix((q * signs).to(matrix))
        layer.triangular.load_state_dict(
            UpperTriangularLinear.from_matrix((r * signs[:, None]).to(matrix), bias=False).state_dict()
        )
        return layer

    def multiply(self, rows: Tensor) -> Tensor:
        """R, then Q."""
        return self.orthogonal.multiply(self.triangular.multiply(rows))

    def solve(self, rows: Tensor) -> Tensor:
        """Q back, then R."""
        return self.triangular.solve(self.orthogonal.solve(rows))

    def log_abs_det(self) -> Tensor:
        """That of R."""
        return self.triangular.log_abs_det()

    def for_rows(self, function: RowFunction, x: Tensor) -> RowFunction:
        """Through the matrix where there are many positions: that is one product instead of three."""
        if x.dim() == 2 or function == self.solve:  # a product with the inverse would lose what a solve keeps
            return function
        matrix = as_matrix(function, self.features, x)
        return lambda rows: rows @ matrix
