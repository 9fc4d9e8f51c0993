"""Möbius transforms of the sphere."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.layers.manifold.directions import Directions


@final
class SphereMoebius(Bijection):
    r"""Möbius transform of the sphere :math:`S^D`, which draws points together on one side:

    .. math:: y = \frac{1 - |\omega|^2}{|x - \omega|^2} (x - \omega) - \omega.

    Conformal: a learned centre :math:`\omega` inside of the sphere decides, small circles stay circles, and
    the inverse is the transform of :math:`-\omega`. Vectors keep their length, so the layer is a
    bijection of all vectors but zero; as it treats every length alike, its

    .. math:: \text{log\_det} = D \log \frac{1 - |\omega|^2}{|x / |x| - \omega|^2}

    is that with respect to the surface of the unit sphere. Starts as the identity.

    Reference: Kato, McCullagh (2020), Some properties of a Cauchy family on the sphere derived from the
    Möbius transformations, https://doi.org/10.3150/20-BEJ1222

    Args:
        dimension: dimension D of the sphere, 1 or more; vectors have D + 1 coordinates.
        steepness: distances near a point change by factors between 1 / S and S: the centre is not longer than
            (S - 1) / (S + 1).

    Returns:
        y of the shape of x ``(N, D + 1)``, of the same length, and log_det ``(N,)``.

    Raises:
        DomainError: a vector is zero.
        ValueError: the dimension is below 1, or the steepness not above 1.

    Cost: O(D) a vector.

    Example:
        >>> layer = SphereMoebius(2)
        >>> _ = torch.nn.init.constant_(layer.raw, 1.0)
        >>> x = torch.tensor([[0.0, 0.0, 1.0]])
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-6)
        True
    """

    def __init__(self, dimension: int, steepness: float = 16.0) -> None:
        super().__init__()
        if dimension < 1 or not 1 < steepness < math.inf:
            raise ValueError(
                f"SphereMoebius: dimension {dimension} and steepness {steepness}, wanted a dimension from 1"
                " and a steepness above 1, such as 2 and 16.0"
            )
        self.limit = (steepness - 1) / (steepness + 1)
        self.domain = self.codomain = Directions(dimension + 1, dimension + 1)
        self.raw = nn.Parameter(torch.zeros(dimension + 1))

    @property
    def centre(self) -> Tensor:
        """The centre omega, ``(D + 1,)``."""
        return self.limit * self.raw * torch.rsqrt(1 + self.raw.square().sum())

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Away from the centre."""
        return _transform(x, self.centre)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Towards the centre."""
        return _transform(y, -self.centre)


def _transform(x: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    size = length_of(x)  # (N, 1)
    apart = x / size - centre
    factor = (1 - centre.square().sum()) / apart.square().sum(1, keepdim=True)
    y = factor * apart - centre
    return size * y / length_of(y), (x.shape[1] - 1) * factor[:, 0].log()


def length_of(x: Tensor) -> Tensor:
    """The norm, whose squares neither overflow nor underflow."""
    largest = x.detach().abs().amax(1, keepdim=True)
    return largest * torch.linalg.vector_norm(x / largest, dim=1, keepdim=True)
