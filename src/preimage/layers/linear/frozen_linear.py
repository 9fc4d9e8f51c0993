"""A linear map as plain numbers, for programs that only multiply."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.layers.linear.feature_linear import FeatureLinear


class FrozenLinear(FeatureLinear):
    r"""Another linear map with its matrix and inverse worked out: both directions are one product.

    .. math:: y_p = W x_p + b, \qquad x_p = W^{-1} (y_p - b)

    For formats without a solver, such as ONNX, and for the fastest sampling. The inverse is worked out in
    float64 and kept in the precision of the original, so convert that one before, not this one after. It does
    not follow later changes of the original.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.2, https://arxiv.org/abs/1807.03039

    Args:
        layer: the map whose present numbers are taken.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Cost: one product with a C x C matrix a position; O(C^3) once.

    Example:
        >>> import torch
        >>> from preimage.layers import LULinear
        >>> layer = LULinear.from_matrix(torch.tensor([[1.0, 2.0], [4.0, 1.0]]))
        >>> FrozenLinear(layer)(torch.ones(1, 2)).round(decimals=4).abs()
        tensor([[3., 5.]])
    """

    weight: Tensor
    inverse_weight: Tensor
    log_scale: Tensor

    @torch.no_grad()
    def __init__(self, layer: FeatureLinear) -> None:
        super().__init__(layer.features, bias=False)
        matrix = layer.matrix
        self.register_buffer("weight", matrix.clone())
        identity = torch.eye(layer.features, dtype=torch.float64, device=matrix.device)
        inverse = torch.linalg.solve(matrix.double(), identity)
        self.register_buffer("inverse_weight", inverse.to(matrix.dtype))
        self.register_buffer("log_scale", layer.log_abs_det().clone())
        offset = layer.offset()
        if offset is not None:
            self.bias = nn.Parameter(offset.detach().clone(), requires_grad=False)

    def multiply(self, rows: Tensor) -> Tensor:
        """One product."""
        return rows @ self.weight.mT

    def solve(self, rows: Tensor) -> Tensor:
        """One product with the inverse."""
        return rows @ self.inverse_weight.mT

    def log_abs_det(self) -> Tensor:
        """The number that was found."""
        return self.log_scale
