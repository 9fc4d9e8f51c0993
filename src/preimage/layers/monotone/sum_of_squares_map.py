"""An increasing polynomial, as a map."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.functional.roots import bracket, monotone_root
from preimage.functional.scalar.sum_of_squares import legendre_rule, sum_of_squares
from preimage.layers.coupling.element_map import ElementMap


@final
class SumOfSquaresMap(ElementMap):
    r"""Sum-of-squares polynomial, :math:`y = b + c \int_0^{x/c} \lambda + \frac1K \sum_k (1 + p_k(u))^2\,
    \mathrm{d}u`.

    Polynomials :math:`p_k` of degree L, so that y is one of degree 2 L + 1 that rises everywhere: any
    increasing function on a bounded set can be approximated. K (L + 1) + 1 parameters an element, the
    coefficients of every polynomial and the shift b at the end; zeros give :math:`(1 + \lambda) x`. Far out
    it grows with the power 2 L + 1 and may overflow to infinity, which its certificate reports.

    The inverse searches a bracket, then the root, and has implicit gradients.

    Reference: Jaini, Selby, Yu (2019), Sum-of-squares polynomial flow, https://arxiv.org/abs/1905.02325

    Args:
        polynomials: number of squares K, 1 or more.
        degree: degree L of the polynomials, 0 or more.
        scale: the length c in which x is measured: powers are small below it, large above.
        slope: the least slope lambda, positive.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K L^2) an element forward, and some twenty times that in the inverse.

    Example:
        >>> square = SumOfSquaresMap(polynomials=1, degree=1)
        >>> square.forward_elements(torch.tensor([2.0]), torch.zeros(1, 3))[0]
        tensor([2.0020])
    """

    def __init__(
        self, polynomials: int = 3, degree: int = 4, scale: float = 10.0, slope: float = 1e-3
    ) -> None:
        super().__init__(count=polynomials * (degree + 1) + 1)
        if polynomials < 1 or degree < 0 or not (scale > 0 and slope > 0):
            raise ValueError(
                f"SumOfSquaresMap: {polynomials} polynomials of degree {degree}, scale {scale} and slope"
                f" {slope}; wanted at least one, a degree from 0, and positive numbers"
            )
        self.shape, self.scale, self.slope = (polynomials, degree + 1), scale, slope
        self.rule = legendre_rule(degree + 1)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Integrate."""
        value, slope = self._at(x, raw)
        return value, slope.log()

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Search a bracket, then the root."""

        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            return self._at(x, raw)

        low, high = bracket(function, y, torch.zeros_like(y), steps=9)
        x = monotone_root(function, y, low, high, steps=28)
        return x, -function(x)[1].log()

    def _at(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        coefficients = raw[..., :-1].unflatten(-1, self.shape)  # (..., K, L + 1)
        value, slope = sum_of_squares(x / self.scale, coefficients, self.slope, self.rule)
        return self.scale * value + raw[..., -1], slope

    def extra_repr(self) -> str:
        """The settings."""
        return f"polynomials={self.shape[0]}, degree={self.shape[1] - 1}, scale={self.scale:g}"
