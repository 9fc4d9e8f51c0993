"""Möbius transforms of the circle."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.functional.roots import monotone_root
from preimage.layers.manifold.circle_map import CircleMap


@final
class MoebiusMap(CircleMap):
    r"""Mean of Möbius transforms of the circle, :math:`y = c + \sum_k \rho_k\, m_{\omega_k}(x)`.

    A point :math:`z = e^{ix}` goes to :math:`(z - \omega) / (1 - \bar\omega z)` with the centre
    :math:`|\omega| < 1`, as an angle :math:`m_\omega(x) = x + 2 \arg(1 - \omega e^{-ix})`, whose slope is
    :math:`(1 - |\omega|^2) / |e^{ix} - \omega|^2`. 3 K + 1 parameters an element: K weights (softmax), the
    two coordinates of K centres, and the rotation c. Zeros give the identity.

    The inverse is a search in a bracket that is known beforehand, since no angle moves by more than pi, with
    implicit gradients.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres, section 2.1.1,
    https://arxiv.org/abs/2002.02428; Kato, McCullagh (2020), Some properties of a Cauchy family on the
    sphere derived from the Möbius transformations, https://doi.org/10.3150/20-BEJ1222

    Args:
        centres: number of transforms K, 1 or more.
        steepness: largest slope S, and the inverse of the smallest one: centres are not longer than
            (S - 1) / (S + 1).

    Raises:
        ValueError: a setting is out of range.

    Cost: O(K) an element forward, and some twenty times that in the inverse.

    Example:
        >>> circle = MoebiusMap(centres=2)
        >>> x, raw = torch.tensor([0.5, -9.0]), torch.linspace(-1, 1, 14).view(2, 7)
        >>> torch.allclose(circle.inverse_elements(circle.forward_elements(x, raw)[0], raw)[0], x)
        True
    """

    def __init__(self, centres: int = 4, steepness: float = 16.0) -> None:
        super().__init__(count=3 * centres + 1)
        if centres < 1 or not 1 < steepness < math.inf:
            raise ValueError(
                f"MoebiusMap: {centres} centres and steepness {steepness}, wanted one or more centres and a"
                " steepness above 1, such as 4 and 16.0"
            )
        self.centres, self.steepness = centres, float(steepness)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of the transformed angles, rotated."""
        turned, slope = self._turned(x, raw)
        return x + turned + raw[..., -1], slope.log()

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Search how far the angle was turned."""
        y = y - raw[..., -1]

        def function(offset: Tensor) -> tuple[Tensor, Tensor]:
            turned, slope = self._turned(y + offset, raw)
            return offset + turned, slope

        half = torch.full_like(y, math.pi)
        x = y + monotone_root(function, torch.zeros_like(y), -half, half, steps=24)
        return x, -self._turned(x, raw)[1].log()

    def _turned(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """By how much the angle changes, and the slope of the map."""
        weights, real, imaginary, _ = raw.split([*[self.centres] * 3, 1], dim=-1)
        limit = (self.steepness - 1) / (self.steepness + 1)
        shrink = limit * torch.rsqrt(1 + real * real + imaginary * imaginary)
        real, imaginary = shrink * real, shrink * imaginary
        cosine, sine = torch.cos(x)[..., None], torch.sin(x)[..., None]  # (..., 1)
        along = 1 - (real * cosine + imaginary * sine)  # the real part of 1 - omega / z, positive
        across = real * sine - imaginary * cosine
        slopes = (1 - real * real - imaginary * imaginary) / (along * along + across * across)
        weights = weights.softmax(-1)
        return (2 * weights * torch.atan2(across, along)).sum(-1), (weights * slopes).sum(-1)

    def extra_repr(self) -> str:
        """The settings."""
        return f"centres={self.centres}, steepness={self.steepness:g}"
