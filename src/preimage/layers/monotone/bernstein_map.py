"""An increasing Bernstein polynomial, as a map."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.functional.scalar.bernstein import bernstein, bernstein_inverse
from preimage.functional.scalar.bounded import bounded_exp
from preimage.layers.coupling.element_map import ElementMap


@final
class BernsteinMap(ElementMap):
    r"""Bernstein polynomial of degree M from a box onto the same box, straight lines beyond it.

    M parameters an element: factors between :math:`S^{-1/2}` and :math:`S^{1/2}` for the differences of
    neighbouring coefficients, which are then scaled together so that the polynomial fits the box. Its slope,
    a mean of the differences, lies between 1 / S and S everywhere; the lines go on with the slopes at the
    ends. Zeros give the identity.

    The inverse is a search inside of the box, which cannot fail, with implicit gradients.

    Reference: Sick, Hothorn, Dürr (2021), Deep transformation models, https://arxiv.org/abs/2004.00464;
    Ramasinghe, Fernando, Khan, Barnes (2021), Robust normalizing flows using Bernstein-type polynomials,
    https://arxiv.org/abs/2102.03509

    Args:
        degree: degree M of the polynomial, 2 or more.
        bound: the box reaches from -bound to bound, positive.
        steepness: largest slope S, and the inverse of the smallest one; above 1.

    Raises:
        ValueError: a setting is out of range.

    Cost: O(M) an element forward, and some twenty times that in the inverse.

    Example:
        >>> BernsteinMap(degree=6).forward_elements(torch.tensor([0.5, 9.0]), torch.zeros(2, 6))[0]
        tensor([0.5000, 9.0000])
    """

    def __init__(self, degree: int = 12, bound: float = 4.0, steepness: float = 50.0) -> None:
        super().__init__(count=degree)
        if degree < 2 or not (0 < bound < math.inf and 1 < steepness < math.inf):
            raise ValueError(
                f"BernsteinMap: degree {degree}, bound {bound}, steepness {steepness}; wanted a degree from"
                " 2, a positive bound and a steepness above 1, such as 12, 4.0 and 50.0"
            )
        self.bound, self.steepness = float(bound), float(steepness)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The polynomial or its lines."""
        return bernstein(x, self._coefficients(raw), self.bound)

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Search inside of the box."""
        return bernstein_inverse(y, self._coefficients(raw), self.bound)

    def _coefficients(self, raw: Tensor) -> Tensor:
        """``(..., M + 1)``, from -bound to bound."""
        steps = bounded_exp(raw, math.sqrt(self.steepness))
        steps = steps * (2 * self.bound / steps.sum(-1, keepdim=True))
        inner = steps[..., :-1].cumsum(-1) - self.bound
        pad = torch.nn.functional.pad
        return pad(pad(inner, (1, 0), value=-self.bound), (0, 1), value=self.bound)

    def extra_repr(self) -> str:
        """The settings."""
        return f"degree={self.count}, bound={self.bound:g}, steepness={self.steepness:g}"
