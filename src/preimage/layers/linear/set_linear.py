"""Linear map of sets: the order of the elements does not matter."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.functional.matrices.rows import RowFunction, map_rows
from preimage.layers.linear.feature_linear import FeatureLinear


class SetLinear(Bijection):
    r"""Permutation-equivariant linear map of sets, :math:`y_i = A (x_i - \bar x) + M \bar x + b`.

    Every linear map of S elements that commutes with reordering them is of this form: A acts on what sets an
    element apart, M on the mean of all. log_det is :math:`(S - 1) \log|\det A| + \log|\det M|`.

    Reference: Zaheer et al. (2017), Deep sets, lemma 3, https://arxiv.org/abs/1703.06114; in flows: Rasul,
    Schuster, Vollgraf, Bergmann (2019), Set flow, https://arxiv.org/abs/1909.02775

    Args:
        around: A, any :class:`~preimage.layers.FeatureLinear` of C features; its bias is not used.
        mean: M, the same.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, S)``, and log_det ``(N,)``.

    Raises:
        ValueError: the two maps have different numbers of features.
        ShapeError: x is not of this shape.

    Cost: that of the two maps.

    Example:
        >>> from preimage.layers import LULinear
        >>> layer = SetLinear(LULinear(3), LULinear(3))
        >>> x = torch.randn(2, 3, 7)
        >>> torch.allclose(layer(x[:, :, [2, 0, 1, 6, 5, 4, 3]]), layer(x)[:, :, [2, 0, 1, 6, 5, 4, 3]])
        True
    """

    def __init__(self, around: FeatureLinear, mean: FeatureLinear, bias: bool = True) -> None:
        super().__init__()
        if around.features != mean.features:
            raise ValueError(
                f"SetLinear: the maps have {around.features} and {mean.features} features, wanted equal ones"
            )
        self.around, self.mean = around, mean
        for part in (around, mean):
            part.bias = None
        self.domain = self.codomain = Reals(around.features, None)
        self.bias = nn.Parameter(torch.zeros(around.features)) if bias else None

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Map the differences and the mean, then shift."""
        y = self._map(self.around.multiply, self.mean.multiply, x)
        return (y if self.bias is None else y + align_event(self.bias, x)), self._log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Shift back, then solve for the differences and the mean."""
        shifted = y if self.bias is None else y - align_event(self.bias, y)
        return self._map(self.around.solve, self.mean.solve, shifted), -self._log_det(y)

    def _map(self, around: RowFunction, mean: RowFunction, x: Tensor) -> Tensor:
        average = x.mean(2, keepdim=True)  # (N, C, 1)
        return map_rows(around, x - average) + map_rows(mean, average)

    def _log_det(self, x: Tensor) -> Tensor:
        total = (x.shape[2] - 1) * self.around.log_abs_det() + self.mean.log_abs_det()
        return total.expand(x.shape[0])
