"""Rectangular linear map, parametrised by its singular value decomposition."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.functional.matrices.rows import map_rows
from preimage.layers.linear.orthogonal import Orthogonal
from preimage.layers.surjection.one_sided import OneSided, Side


class SVDRectangular(OneSided):
    r"""Linear map :math:`y_p = U S V x_p + b` from C to D features with its exact pseudo-inverse.

    U (D x D) and V (C x C) are orthogonal and S is D x C with min(C, D) positive singular values
    :math:`s_i = e^{h \tanh(a_i / h)}`, :math:`h = \frac12 \log \kappa`. The inverse is
    :math:`V^T S^+ U^T (y_p - b)`: no factorisation, no rank to lose. A left inverse where D >= C, else a
    right inverse.

    Reference: Zhang, Lei, Dhillon (2018), Stabilizing gradients for deep neural networks via efficient SVD
    parameterization, https://arxiv.org/abs/1803.09327

    Args:
        in_features: C.
        out_features: D.
        reflections: reflections of U and of V, at most min(C, D); that many by default.
        bias: whether there is a shift b.
        condition: bound :math:`\kappa` on the condition number, above 1.

    Returns:
        y ``(N, D, ...)`` for x ``(N, C, ...)``, and back.

    Raises:
        ShapeError: x does not have C features, or y not D.
        ValueError: the bound is not above 1.

    Cost: 4 m (C + D) multiplications a position with m reflections, in either direction.

    Example:
        >>> import torch
        >>> layer = SVDRectangular(2, 5)
        >>> x = torch.randn(3, 2)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5), layer.side
        (True, 'left')
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        reflections: int | None = None,
        bias: bool = True,
        condition: float = 1e4,
    ) -> None:
        super().__init__()
        if not 1 < condition < math.inf:
            raise ValueError(
                f"SVDRectangular: condition is {condition}, wanted a number above 1, such as 1e4"
            )
        self.rank = min(in_features, out_features)
        count = self.rank if reflections is None else reflections
        self.domain, self.codomain = Reals(in_features, ...), Reals(out_features, ...)
        self.half_range = math.log(condition) / 2
        self.left = Orthogonal(out_features, count, bias=False)
        self.right = Orthogonal(in_features, count, bias=False)
        self.raw_scale = nn.Parameter(torch.zeros(self.rank))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    @property
    def side(self) -> Side:
        """Left where there are at least as many outputs as inputs."""
        return "left" if self.left.features >= self.right.features else "right"

    def singular_values(self) -> Tensor:
        """The s, ``(min(C, D),)``."""
        return (self.half_range * torch.tanh(self.raw_scale / self.half_range)).exp()

    def forward_values(self, x: Tensor) -> Tensor:
        """Rotate, scale and resize, rotate, shift."""
        y = map_rows(self._multiply, x)
        return y if self.bias is None else y + align_event(self.bias, y)

    def inverse_values(self, y: Tensor) -> Tensor:
        """The same steps undone in reverse order."""
        return map_rows(self._solve, y if self.bias is None else y - align_event(self.bias, y))

    def condition(self) -> float:
        """Largest over smallest singular value."""
        values = self.singular_values()
        return (values.max() / values.min()).item()

    def nullity(self) -> int:
        """C minus the rank."""
        return self.right.features - self.rank

    def _multiply(self, rows: Tensor) -> Tensor:
        scaled = self.right.multiply(rows)[:, : self.rank] * self.singular_values()
        return self.left.multiply(_resize(scaled, self.left.features))

    def _solve(self, rows: Tensor) -> Tensor:
        scaled = self.left.solve(rows)[:, : self.rank] / self.singular_values()
        return self.right.solve(_resize(scaled, self.right.features))


def _resize(rows: Tensor, features: int) -> Tensor:
    """Zeros appended to rows ``(M, k)`` up to ``(M, features)``."""
    return nn.functional.pad(rows, (0, features - rows.shape[1]))
