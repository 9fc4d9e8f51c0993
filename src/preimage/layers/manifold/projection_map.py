"""The line wrapped around the circle."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.functional.scalar.bounded import bounded_exp
from preimage.layers.manifold.circle_map import CircleMap


@final
class ProjectionMap(CircleMap):
    r"""Non-compact projection of the circle, :math:`\tan\frac{y - c}2 = \alpha \tan\frac x2 + \beta`.

    A line is wrapped around the circle, moved by an affine map and wrapped again. 3 parameters an element:
    :math:`\log \alpha` and :math:`\beta`, both bounded so that slopes stay between about 1 / S and S, and the
    rotation c. The inverse is of the same form, with 1 / alpha and -beta / alpha. Zeros give the identity.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres, section 2.1.3,
    https://arxiv.org/abs/2002.02428

    Args:
        steepness: alpha lies between 1 / S and S, beta between :math:`\pm\sqrt S`; above 1.

    Raises:
        ValueError: the steepness is not above 1.

    Cost: O(1) an element in either direction.

    Example:
        >>> x, raw = torch.tensor([0.5, -9.0]), torch.ones(2, 3)
        >>> circle = ProjectionMap()
        >>> torch.allclose(circle.inverse_elements(circle.forward_elements(x, raw)[0], raw)[0], x)
        True
    """

    def __init__(self, steepness: float = 8.0) -> None:
        super().__init__(count=3)
        if not 1 < steepness < math.inf:
            raise ValueError(f"ProjectionMap: steepness is {steepness}, wanted a number above 1, such as 8.0")
        self.steepness = float(steepness)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Project, stretch and move, project back, rotate."""
        alpha, beta, shift = self._unpack(raw)
        y, log_slope = _project(x, alpha, beta)
        return y + shift, log_slope

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Rotate back, then the inverse affine map."""
        alpha, beta, shift = self._unpack(raw)
        return _project(y - shift, 1 / alpha, -beta / alpha)

    def _unpack(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_alpha, beta, shift = raw.unbind(-1)
        size = math.sqrt(self.steepness)
        return bounded_exp(log_alpha, self.steepness), size * torch.tanh(beta / size), shift

    def extra_repr(self) -> str:
        """The setting."""
        return f"steepness={self.steepness:g}"


def _project(x: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """The half-angle as a unit vector, multiplied by [[alpha, beta], [0, 1]]; by how much it turns."""
    sine, cosine = torch.sin(x / 2), torch.cos(x / 2)
    image = alpha * sine + beta * cosine
    turned = torch.atan2(image * cosine - cosine * sine, image * sine + cosine * cosine)
    return x + 2 * turned, alpha.log() - (image * image + cosine * cosine).log()
