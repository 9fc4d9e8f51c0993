"""Linear map of the features: diagonal plus low rank."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.layers.linear.feature_linear import FeatureLinear
from preimage.layers.linear.lost_rank import refuse_lost_rank


class WoodburyLinear(FeatureLinear):
    r"""Linear map :math:`y_p = (D + U V^T) x_p + b` with :math:`D = \operatorname{diag}(e^{a})`, rank r.

    The inverse needs only the small matrix :math:`M = I + V^T D^{-1} U` (Woodbury), and so does the
    determinant: :math:`\log|\det W| = \sum a + \log|\det M|`. The inverse is refined once with the residual,
    which takes back what cancels where :math:`U V^T` is large beside D.

    Reference: Lu, Huang (2020), Woodbury transformations for deep generative flows,
    https://arxiv.org/abs/2002.12229; Woodbury (1950), Inverting modified matrices. With
    :class:`~preimage.layers.AlongDimensions` it mixes the positions of a picture too, as in that paper.

    Args:
        features: number C of features or channels. Starts as the identity.
        rank: r, at least 1.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.
        ValueError: the rank is less than 1.
        NotInvertibleError: the inverse is asked of a W that is singular up to rounding.

    Cost: 2 r C a position forwards and three times that backwards, and O(r^2 C) once a call.

    Example:
        >>> import torch
        >>> layer = WoodburyLinear(1000, rank=4)
        >>> x = torch.randn(2, 1000)
        >>> torch.equal(layer.inverse(layer(x)), x)
        True
    """

    def __init__(self, features: int, rank: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        if rank < 1:
            raise ValueError(f"WoodburyLinear: rank is {rank}, wanted 1 or more; Diagonal has none")
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.left = nn.Parameter(torch.randn(features, rank) / features**0.5)
        self.right = nn.Parameter(torch.zeros(features, rank))

    def multiply(self, rows: Tensor) -> Tensor:
        """Scale, and add what goes through r numbers."""
        return rows * self.log_scale.exp() + (rows @ self.right) @ self.left.mT

    def solve(self, rows: Tensor) -> Tensor:
        """Woodbury's identity, and one step of refinement."""
        factors, pivots, _ = torch.linalg.lu_factor_ex(self.core())
        refuse_lost_rank("WoodburyLinear.inverse", factors.diagonal(), self.core())
        x = self._woodbury(rows, factors, pivots)
        return x + self._woodbury(rows - self.multiply(x), factors, pivots)

    def log_abs_det(self) -> Tensor:
        """From the scales and the small matrix."""
        return self.log_scale.sum() + torch.linalg.slogdet(self.core()).logabsdet

    def core(self) -> Tensor:
        """M ``(r, r)``."""
        scaled = self.left * torch.exp(-self.log_scale)[:, None]
        identity = torch.eye(self.left.shape[1], dtype=scaled.dtype, device=scaled.device)
        return identity + self.right.mT @ scaled

    def extra_repr(self) -> str:
        """The sizes."""
        return f"features={self.features}, rank={self.left.shape[1]}, bias={self.bias is not None}"

    def _woodbury(self, rows: Tensor, factors: Tensor, pivots: Tensor) -> Tensor:
        scaled = rows * torch.exp(-self.log_scale)  # (M, C)
        weights = torch.linalg.lu_solve(factors, pivots, scaled @ self.right, left=False, adjoint=True)
        return scaled - (weights @ self.left.mT) * torch.exp(-self.log_scale)
