"""Linear map of the features, parametrised by its LU decomposition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError
from preimage.layers.linear.feature_linear import FeatureLinear, check_square


class LULinear(FeatureLinear):
    r"""Linear map :math:`y_p = W x_p + b` with :math:`W = P L (U + \operatorname{diag}(\sigma e^{a}))`.

    P is a fixed permutation, L unit lower and U strictly upper triangular, and :math:`\sigma` fixed signs.
    The inverse is two triangular solves, and log_det is :math:`\sum a` times the number of positions: W can
    never become singular. L, U and a share one matrix of parameters.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.2, https://arxiv.org/abs/1807.03039

    Args:
        features: number C of features or channels. Starts as the identity; :meth:`from_matrix` starts
            anywhere else.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: two products with triangular C x C matrices a position, forwards and backwards alike.

    Example:
        >>> import torch
        >>> layer = LULinear.from_matrix(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
        >>> y, log_det = layer.forward_and_log_det(torch.tensor([[3.0, 5.0]]))
        >>> y.tolist(), round(log_det.item(), 4)
        ([[10.0, 3.0]], 0.6931)
    """

    order: Tensor
    undo: Tensor
    signs: Tensor

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.factors = nn.Parameter(torch.zeros(features, features))
        """Below the diagonal L, on it a, above it U."""
        self.register_buffer("order", torch.arange(features))
        self.register_buffer("undo", torch.arange(features))
        self.register_buffer("signs", torch.ones(features))

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True) -> LULinear:
        """The layer that starts with a given W.

        Args:
            matrix: W ``(C, C)``, such as a random rotation ``torch.linalg.qr(torch.randn(C, C)).Q``.
            bias: whether there is a shift, 0 at the start.

        Returns:
            The layer, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: it is singular.

        Cost: O(C^3), once.

        Example:
            >>> import torch
            >>> matrix = torch.tensor([[1.0, 2.0], [4.0, 1.0]])
            >>> torch.allclose(LULinear.from_matrix(matrix).matrix, matrix)
            True
        """
        check_square("LULinear", matrix)
        permutation, lower, upper = torch.linalg.lu(matrix.detach())
        diagonal = upper.diagonal()
        if not (diagonal.abs() > 0).all():
            raise NotInvertibleError("LULinear: the matrix is singular, wanted an invertible one")
        layer = cls(matrix.shape[0], bias).to(matrix)
        layer.order.copy_(permutation.argmax(1))
        layer.undo.copy_(layer.order.argsort())
        layer.signs.copy_(diagonal.sign())
        with torch.no_grad():
            layer.factors.copy_(lower.tril(-1) + upper.triu(1) + diagonal.abs().log().diag())
        return layer

    def multiply(self, rows: Tensor) -> Tensor:
        """P L U applied to rows."""
        return (rows @ self._upper().mT @ self._lower().mT).index_select(1, self.order)

    def solve(self, rows: Tensor) -> Tensor:
        """Two triangular solves."""
        rows = rows.index_select(1, self.undo)
        rows = torch.linalg.solve_triangular(self._lower().mT, rows, upper=True, left=False)
        return torch.linalg.solve_triangular(self._upper().mT, rows, upper=False, left=False)

    def log_abs_det(self) -> Tensor:
        """The sum of the log-scales."""
        return self.factors.diagonal().sum()

    def _lower(self) -> Tensor:
        return self.factors.tril(-1) + torch.eye(
            self.features, dtype=self.signs.dtype, device=self.signs.device
        )

    def _upper(self) -> Tensor:
        return self.factors.triu(1) + torch.diag_embed(self.signs * self.factors.diagonal().exp())
