"""Orthogonal map of the features, a product of Householder reflections."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError, ShapeError
from preimage.functional.matrices.householder import apply_reflections, undo_reflections
from preimage.functional.matrices.rows import RowFunction, as_matrix
from preimage.layers.linear.feature_linear import FeatureLinear, check_square


class Orthogonal(FeatureLinear):
    r"""Orthogonal map :math:`y_p = W x_p + b` with :math:`W = H_1 \cdots H_m D`, :math:`W^{-1} = W^T`.

    The :math:`H_i` reflect along free vectors and D holds fixed signs, so W is orthogonal for any parameters
    and log_det is exactly 0. Products of reflections have one sign of the determinant; the signs choose it.
    With m = C reflections every orthogonal matrix of that determinant is reached; fewer reflections reach the
    matrices that move only m directions, and are cheaper.

    Reference: Tomczak, Welling (2016), Improving variational auto-encoders using Householder flow,
    https://arxiv.org/abs/1611.09630; all of O(n): Mhammedi et al. (2017), https://arxiv.org/abs/1612.00188

    Args:
        features: number C of features or channels. Starts at random; :meth:`from_matrix` starts anywhere
            else, also at the identity.
        reflections: number m of reflections, 1 to C; C by default.
        bias: whether there is a shift b.
        determinant: 1 for rotations, -1 for matrices that mirror.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ShapeError: x does not have C features.
        ValueError: another number of reflections, or another determinant.

    Cost: 4 m C multiplications a vector in either direction; for sequences and pictures O(m C^2) once and
    C^2 a position.

    Example:
        >>> import torch
        >>> layer = Orthogonal(3, determinant=-1)
        >>> w = layer.matrix
        >>> torch.allclose(w.mT @ w, torch.eye(3), atol=1e-6), round(torch.linalg.det(w).item(), 4)
        (True, -1.0)
    """

    signs: Tensor

    def __init__(
        self, features: int, reflections: int | None = None, bias: bool = True, determinant: int = 1
    ) -> None:
        super().__init__(features, bias)
        count = features if reflections is None else reflections
        if not 1 <= count <= features:
            raise ValueError(f"Orthogonal: reflections is {count}, wanted 1 to {features}")
        if determinant not in (1, -1):
            raise ValueError(f"Orthogonal: determinant is {determinant}, wanted 1 or -1")
        self.vectors = nn.Parameter(torch.randn(count, features))
        self.register_buffer("signs", torch.ones(features))
        self.signs[-1] = determinant * (-1) ** count

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True) -> Orthogonal:
        """The layer that starts with a given W.

        Args:
            matrix: an orthogonal matrix ``(C, C)`` of either determinant, such as ``torch.eye(C)``.
            bias: whether there is a shift, 0 at the start.

        Returns:
            The layer, with C reflections, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: it is not orthogonal.

        Cost: O(C^3), once.

        Example:
            >>> Orthogonal.from_matrix(torch.eye(2)).matrix.tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        check_square("Orthogonal", matrix)
        layer = cls(matrix.shape[0], bias=bias).to(matrix)
        layer.set_matrix(matrix)
        return layer

    @torch.no_grad()
    def set_matrix(self, matrix: Tensor) -> None:
        """Choose parameters so that W is this matrix.

        Args:
            matrix: an orthogonal matrix ``(C, C)`` of either determinant.

        Raises:
            ShapeError: the matrix has another shape.
            NotInvertibleError: it is not orthogonal, or the layer has fewer than C reflections.
        """
        self._check(matrix)
        packed, scales = torch.geqrf(matrix.double())
        reflects = scales != 0
        vectors = packed.tril(-1) + torch.eye(self.features, dtype=packed.dtype, device=packed.device)
        self.vectors.copy_((vectors / torch.linalg.vector_norm(vectors, dim=0)).mT)
        # Where no reflection was needed the vector is an axis: its mirror is taken back by the sign.
        signs = packed.diagonal().sign()
        self.signs.copy_(torch.where(reflects, signs, -signs))

    def _check(self, matrix: Tensor) -> None:
        if matrix.shape != (self.features, self.features):
            wanted = (self.features, self.features)
            raise ShapeError(f"Orthogonal: matrix has shape {tuple(matrix.shape)}, wanted {wanted}")
        if len(self.vectors) < self.features:
            raise NotInvertibleError(
                f"Orthogonal: {len(self.vectors)} reflections do not reach every matrix; wanted"
                f" {self.features}, leave out reflections=..."
            )
        identity = torch.eye(self.features, dtype=matrix.dtype, device=matrix.device)
        error = (matrix.mT @ matrix - identity).abs().max().item()
        if not error <= torch.finfo(matrix.dtype).eps ** 0.5:
            raise NotInvertibleError(
                f"Orthogonal: the matrix is not orthogonal, W'W differs from the identity by {error:.2e};"
                " write torch.linalg.qr(matrix).Q for one nearby, or use SVDLinear.from_matrix"
            )

    def multiply(self, rows: Tensor) -> Tensor:
        """The signs, then the reflections."""
        return apply_reflections(rows * self.signs, self.vectors)

    def solve(self, rows: Tensor) -> Tensor:
        """The transpose: the reflections in reverse order, then the signs."""
        return undo_reflections(rows, self.vectors) * self.signs

    def log_abs_det(self) -> Tensor:
        """Zero."""
        return self.signs.new_zeros(())

    def condition(self) -> Tensor:
        """One."""
        return self.signs.new_ones(())

    def for_rows(self, function: RowFunction, x: Tensor) -> RowFunction:
        """Through the matrix where there are many positions: that is one product instead of two."""
        if x.dim() == 2:
            return function
        matrix = as_matrix(function, self.features, x)
        return lambda rows: rows @ matrix
