"""Square dense layer with a free weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError
from preimage.layers.linear.feature_linear import FeatureLinear
from preimage.layers.linear.lost_rank import refuse_lost_rank


class Dense(FeatureLinear):
    r"""Square linear map with a free weight, :math:`y_p = W x_p + b`; the inverse solves with W.

    The layer for a weight that exists already, such as that of a trained ``nn.Linear``. Nothing keeps W away
    from singular matrices: the certificate of an inverse holds its condition number, and training is safer
    with :class:`~preimage.layers.LULinear`, :class:`~preimage.layers.SVDLinear` or
    :class:`~preimage.layers.Orthogonal`.

    Reference: Golub, Van Loan (2013), Matrix Computations, chapter 3, https://doi.org/10.56021/9781421407944

    Args:
        features: number C of features or channels. Starts as a random orthogonal matrix.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``, :math:`\log|\det W|` times the number of
        positions.

    Raises:
        ShapeError: x does not have C features.
        NotInvertibleError: the inverse is asked of a W that is singular up to rounding.

    Cost: O(C^3) at every call for one factorisation forwards and two backwards, and C^2 a position.

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(3, 3)
        >>> layer = Dense.from_linear(linear)
        >>> x = torch.randn(2, 3)
        >>> torch.equal(layer(x), linear(x)), torch.allclose(layer.inverse(linear(x)), x, atol=1e-4)
        (True, True)
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.weight = nn.Parameter(torch.empty(features, features))
        nn.init.orthogonal_(self.weight)

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> Dense:
        """The layer that shares the parameters of an ``nn.Linear``, so that training one trains both.

        Args:
            linear: as many outputs as inputs.

        Returns:
            The layer.

        Raises:
            NotInvertibleError: the numbers of inputs and outputs differ.

        Example:
            >>> linear = torch.nn.Linear(2, 2)
            >>> Dense.from_linear(linear).weight is linear.weight
            True
        """
        if linear.in_features != linear.out_features:
            raise NotInvertibleError(
                f"Dense: got a layer from {linear.in_features} to {linear.out_features} features, wanted"
                " equal numbers; PseudoInverseLinear.from_linear has a one-sided inverse"
            )
        layer = cls(linear.in_features, bias=False)
        layer.weight, layer.bias = linear.weight, linear.bias
        return layer

    def multiply(self, rows: Tensor) -> Tensor:
        """W applied to rows."""
        return nn.functional.linear(rows, self.weight)

    def solve(self, rows: Tensor) -> Tensor:
        """One LU factorisation and two triangular solves."""
        factors, pivots, _ = torch.linalg.lu_factor_ex(self.weight)
        refuse_lost_rank("Dense.inverse", factors.diagonal(), self.weight)
        return torch.linalg.lu_solve(factors, pivots, rows, left=False, adjoint=True)

    def log_abs_det(self) -> Tensor:
        """From the pivots of the factorisation."""
        return torch.linalg.slogdet(self.weight).logabsdet

    @property
    def matrix(self) -> Tensor:
        """W ``(C, C)``."""
        return self.weight
