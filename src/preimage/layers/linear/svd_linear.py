"""Linear map of the features, parametrised by its singular value decomposition."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError
from preimage.functional.matrices.rows import RowFunction, as_matrix
from preimage.layers.linear.feature_linear import FeatureLinear, check_square
from preimage.layers.linear.orthogonal import Orthogonal


class SVDLinear(FeatureLinear):
    r"""Linear map :math:`y_p = U S V x_p + b`, U and V orthogonal, the condition number bounded.

    The singular values are :math:`s_i = e^{h \tanh(a_i / h)}` with :math:`h = \frac12 \log \kappa`, so they
    stay between :math:`\kappa^{-1/2}` and :math:`\kappa^{1/2}`, and the condition number of W below
    :math:`\kappa`. log_det is :math:`\sum \log s_i` times the number of positions.

    Reference: Zhang, Lei, Dhillon (2018), Stabilizing gradients for deep neural networks via efficient SVD
    parameterization, https://arxiv.org/abs/1803.09327

    Args:
        features: number C of features or channels. Starts as a random orthogonal matrix;
            :meth:`from_matrix` starts anywhere else.
        reflections: reflections of U and of V, 1 to C; C by default.
        bias: whether there is a shift b.
        condition: the bound :math:`\kappa`, above 1; 1e4 loses at most four digits in an inverse.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.
        ValueError: the bound is not above 1.

    Cost: that of two :class:`~preimage.layers.Orthogonal` layers, in either direction.

    Example:
        >>> import torch
        >>> layer = SVDLinear.from_matrix(torch.tensor([[3.0, 1.0], [0.0, 0.5]]))
        >>> layer.matrix.allclose(torch.tensor([[3.0, 1.0], [0.0, 0.5]]), atol=1e-5)
        True
    """

    def __init__(
        self,
        features: int,
        reflections: int | None = None,
        bias: bool = True,
        condition: float = 1e4,
    ) -> None:
        super().__init__(features, bias)
        if not 1 < condition < math.inf:
            raise ValueError(f"SVDLinear: condition is {condition}, wanted a number above 1, such as 1e4")
        self.half_range = math.log(condition) / 2
        self.left = Orthogonal(features, reflections, bias=False)
        self.right = Orthogonal(features, reflections, bias=False)
        self.raw_scale = nn.Parameter(torch.zeros(features))

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True, condition: float = 1e4) -> SVDLinear:
        """The layer that starts with a given W.

        Args:
            matrix: W ``(C, C)``, singular values between ``condition ** -0.5`` and ``condition ** 0.5``.
            bias: whether there is a shift, 0 at the start.
            condition: bound on the condition number.

        Returns:
            The layer, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: a singular value lies outside.

        Cost: O(C^3), once.

        Example:
            >>> SVDLinear.from_matrix(2 * torch.eye(2)).log_abs_det().exp().round().item()
            4.0
        """
        check_square("SVDLinear", matrix)
        layer = cls(matrix.shape[0], bias=bias, condition=condition).to(matrix)
        left, values, right = torch.linalg.svd(matrix.detach().double())
        layer.left.set_matrix(left)
        layer.right.set_matrix(right)
        with torch.no_grad():
            layer.raw_scale.copy_(raw_singular_values(values, layer.half_range))
        return layer

    def log_singular_values(self) -> Tensor:
        """The log s, ``(C,)``."""
        return self.half_range * torch.tanh(self.raw_scale / self.half_range)

    def multiply(self, rows: Tensor) -> Tensor:
        """Rotate, scale, rotate."""
        return self.left.multiply(self.right.multiply(rows) * self.log_singular_values().exp())

    def solve(self, rows: Tensor) -> Tensor:
        """Rotate back, divide, rotate back."""
        return self.right.solve(self.left.solve(rows) / self.log_singular_values().exp())

    def log_abs_det(self) -> Tensor:
        """The sum of the log singular values."""
        return self.log_singular_values().sum()

    def condition(self) -> Tensor:
        """Largest over smallest singular value."""
        values = self.log_singular_values()
        return (values.max() - values.min()).exp()

    def for_rows(self, function: RowFunction, x: Tensor) -> RowFunction:
        """Through the matrix where there are many positions: that is one product instead of four."""
        if x.dim() == 2:
            return function
        matrix = as_matrix(function, self.features, x)
        return lambda rows: rows @ matrix


def raw_singular_values(values: Tensor, half_range: float) -> Tensor:
    r"""The parameters for given singular values, :math:`a = h \operatorname{artanh}(\log s / h)`.

    Args:
        values: singular values ``(C,)``.
        half_range: h, the largest absolute logarithm.

    Returns:
        Tensor ``(C,)``.

    Raises:
        NotInvertibleError: a value lies outside.

    Example:
        >>> raw_singular_values(torch.ones(2), 1.0)
        tensor([0., 0.])
    """
    fraction = values.log() / half_range
    if not (fraction.abs() < 1).all():
        low, high = math.exp(-half_range), math.exp(half_range)
        raise NotInvertibleError(
            f"SVDLinear: singular values reach from {values.min():.3g} to {values.max():.3g}, wanted inside"
            f" {low:.3g} to {high:.3g}; raise condition=..., or scale the matrix and add a Diagonal layer"
        )
    return half_range * torch.atanh(fraction)
