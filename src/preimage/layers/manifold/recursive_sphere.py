"""A flow on the sphere, one coordinate after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, final

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.sphere.spherical import cosine_of_latitude, from_spherical, to_spherical
from preimage.functional.splines import RationalQuadratic
from preimage.layers.manifold.circle_map import CircleMap
from preimage.layers.manifold.circular_spline_map import CircularSplineMap
from preimage.layers.manifold.directions import Directions
from preimage.layers.spline.bounded_knots import FreeEndKnots
from preimage.layers.spline.spline_map import CustomSplineMap
from preimage.nets import MLP

ElementFunction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@final
class RecursiveSphere(Bijection):
    r"""Recursive flow on the sphere :math:`S^D`: the longitude moves first, then latitude by latitude.

    The longitude goes through a map of the circle, each latitude through a spline of
    :math:`[-\tfrac\pi2, \tfrac\pi2]` whose parameters a network computes from the lower-dimensional sphere
    below it, as points and not as angles. Vectors keep their length, so the layer is a bijection of all
    vectors with a longitude; as it treats every length alike, its

    .. math:: \text{log\_det} = \log \left| \frac{d\sigma(y / |y|)}{d\sigma(x / |x|)} \right|

    is that with respect to the surface of the unit sphere. Starts as the identity. Poles stay where they are:
    put an :class:`~preimage.layers.Orthogonal` without bias between two such layers, which turns the
    sphere.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres, section 2.2,
    https://arxiv.org/abs/2002.02428

    Args:
        dimension: dimension D of the sphere, 2 or more; vectors have D + 1 coordinates.
        bins: bins of the splines.
        hidden_features: sizes of the hidden layers of the networks.
        context: size of the context ``(N, context)``; 0 for none.
        circle_map: the map of the longitude; :class:`~preimage.layers.CircularSplineMap` by default.

    Returns:
        y of the shape of x ``(N, D + 1)``, of the same length, and log_det ``(N,)``.

    Raises:
        DomainError: the first two coordinates of a vector are both zero.
        ValueError: the dimension is below 2.

    Cost: D small networks in either direction.

    Example:
        >>> layer = RecursiveSphere(2)
        >>> x = torch.nn.functional.normalize(torch.ones(1, 3))
        >>> torch.allclose(layer(x), x)
        True
    """

    autocasts_inside: ClassVar[bool] = True

    def __init__(
        self,
        dimension: int,
        bins: int = 8,
        hidden_features: Sequence[int] = (64,),
        context: int = 0,
        circle_map: CircleMap | None = None,
    ) -> None:
        super().__init__()
        if dimension < 2:
            raise ValueError(f"RecursiveSphere: dimension is {dimension}, wanted 2 or more")
        self.domain = self.codomain = Directions(dimension + 1, 2)
        self.context_domain = Reals(context) if context else None
        self.circle_map = CircularSplineMap(bins) if circle_map is None else circle_map
        self.latitude_map = CustomSplineMap(RationalQuadratic(), FreeEndKnots(bins, math.pi / 2))
        count = self.latitude_map.count
        self.raw_longitude = nn.Parameter(torch.zeros(self.circle_map.count))
        self.nets = nn.ModuleList(MLP(i, count, hidden_features, context) for i in range(2, dimension + 1))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """To coordinates, each moved in view of the ones before it, and back."""
        return self._move(
            x, context, Movement(self.circle_map.forward_elements, self.latitude_map.forward_elements, _first)
        )

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The same backwards: every coordinate found helps to find the next one."""
        return self._move(
            y,
            context,
            Movement(self.circle_map.inverse_elements, self.latitude_map.inverse_elements, _second),
        )

    def _move(self, x: Tensor, context: Context, way: Movement) -> tuple[Tensor, Tensor]:
        (radius, latitudes, longitude), log_det = to_spherical(x)
        turned, log_slope = way.circle(longitude, self.raw_longitude)
        point = _on_circle(way.seen(longitude, turned))
        moved = []
        for net, latitude in zip(self.nets, latitudes.split(1, dim=1), strict=True):
            climbed, slope = way.latitude(latitude, self._parameters_from(net, point, context))
            point = _above(point, way.seen(latitude, climbed))
            moved.append(climbed)
            log_slope = log_slope + slope
        y, back_log_det = from_spherical(radius, torch.cat(moved, dim=1), turned)
        return y, log_det + back_log_det + log_slope[:, 0]

    def _parameters_from(self, net: nn.Module, point: Tensor, context: Context) -> Tensor:
        raw = net(point) if context is None else net(point, context)
        return raw.to(point.dtype)[:, None]  # (N, 1, count)


class Movement(NamedTuple):
    """The element maps of one direction, and which of two values the networks see: always that of x."""

    circle: ElementFunction
    latitude: ElementFunction
    seen: Callable[[Tensor, Tensor], Tensor]


def _first(before: Tensor, after: Tensor) -> Tensor:
    return before


def _second(before: Tensor, after: Tensor) -> Tensor:
    return after


def _on_circle(longitude: Tensor) -> Tensor:
    return torch.cat([longitude.cos(), longitude.sin()], dim=1)  # (N, 2)


def _above(point: Tensor, latitude: Tensor) -> Tensor:
    """A point of the sphere of one more dimension."""
    return torch.cat([cosine_of_latitude(latitude) * point, latitude.sin()], dim=1)
