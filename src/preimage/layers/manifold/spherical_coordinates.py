"""Radius, latitudes and longitude."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Interval
from preimage.functional.sphere.spherical import Spherical, from_spherical, to_spherical
from preimage.layers.manifold.directions import Directions


@final
class SphericalCoordinates(Bijection):
    r"""Vectors as radius, latitudes and longitude, :math:`\mathbb R^{D+1} \to \mathbb R_+ \times
    [-\tfrac\pi2, \tfrac\pi2]^{D-1} \times [-\pi, \pi]`.

    The longitude is :math:`\operatorname{atan2}(x_2, x_1)`. With :math:`r_i = |(x_1, \dots, x_i)|`, latitudes
    are :math:`\lambda_i = \operatorname{atan2}(x_i, r_{i-1})` for i = 3 ... D + 1, the last one the familiar
    one of the Earth for D = 2, and the radius is :math:`r_{D+1}`. The chart of the sphere of dimension D; its

    .. math:: \text{log\_det} = -D \log r_{D+1} - \sum_{i=3}^{D+1} (i - 2) \log \cos \lambda_i

    is minus the logarithm of the volume of a coordinate cell, of the surface of the sphere where r is 1. The
    poles have no longitude: vectors with :math:`x_1 = x_2 = 0` are refused.

    Reference: Blumenson (1960), A derivation of n-dimensional spherical coordinates,
    https://doi.org/10.2307/2308932

    Args:
        dimension: dimension D of the sphere, 2 or more; vectors have D + 1 coordinates.

    Returns:
        The radius ``(N, 1)``, latitudes ``(N, D - 1)`` and longitude ``(N, 1)``, and log_det ``(N,)``.

    Raises:
        DomainError: the first two coordinates of a vector are both zero; on the way back, a radius is not
            positive or an angle out of its range.
        ValueError: the dimension is below 2.

    Cost: O(D) a vector.

    Example:
        >>> import torch
        >>> radius, latitudes, longitude = SphericalCoordinates(2)(torch.tensor([[0.0, 1.0, 1.0]]))
        >>> radius, latitudes, longitude
        (tensor([[1.4142]]), tensor([[0.7854]]), tensor([[1.5708]]))
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        if dimension < 2:
            raise ValueError(f"SphericalCoordinates: dimension is {dimension}, wanted 2 or more")
        self.dimension = dimension
        self.domain = Directions(dimension + 1, 2)
        self.codomain = (
            Interval(0, math.inf, 1),
            Interval(-math.pi / 2, math.pi / 2, dimension - 1),
            Interval(-math.pi, math.pi, 1, closed=True),
        )

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Spherical, Tensor]:
        """Cartesian to spherical."""
        return to_spherical(x)

    def inverse_and_log_det(self, y: Spherical, context: Context = None) -> tuple[Tensor, Tensor]:
        """Spherical to Cartesian."""
        return from_spherical(*y)
