"""Linear map of the features by a matrix exponential."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.layers.linear.feature_linear import FeatureLinear


class ExponentialLinear(FeatureLinear):
    r"""Linear map :math:`y_p = e^{A} x_p + b` with a free matrix A; the inverse is :math:`e^{-A}`.

    Never singular, and no factorisation anywhere: log_det is the trace of A times the number of positions. W
    has a positive determinant and no real negative eigenvalue of odd multiplicity, so it reaches fewer
    matrices than :class:`~preimage.layers.LULinear`; a fixed :class:`~preimage.layers.Permutation` beside it
    makes up for that.

    Reference: Xiao, Liu (2020), Generative flows with matrix exponential, https://arxiv.org/abs/2007.09651

    Args:
        features: number C of features or channels. Starts as the identity.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: O(C^3) once a call, some ten products of C x C matrices, and C^2 a position.

    Example:
        >>> import torch
        >>> layer = ExponentialLinear(2)
        >>> _ = layer.exponent.data.copy_(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
        >>> layer.matrix.tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.exponent = nn.Parameter(torch.zeros(features, features))

    def multiply(self, rows: Tensor) -> Tensor:
        """The exponential of A."""
        return rows @ torch.linalg.matrix_exp(self.exponent).mT

    def solve(self, rows: Tensor) -> Tensor:
        """The exponential of -A."""
        return rows @ torch.linalg.matrix_exp(-self.exponent).mT

    def log_abs_det(self) -> Tensor:
        """The trace of A."""
        return self.exponent.diagonal().sum()
