"""Samples of the maps of circles, tori and spheres."""

import torch

from preimage import Chain
from preimage.layers import (
    CircularSplineMap,
    Coupling,
    LearnedMap,
    MoebiusMap,
    Orthogonal,
    PeriodicFeatures,
    ProjectionMap,
    RecursiveSphere,
    SlicePartition,
    SphereMoebius,
    SpherePush,
    SphericalCoordinates,
    Torus,
)
from preimage.nets import MLP
from preimage.testing import Sample


def _torus_coupling(element_map, context=None) -> Torus:
    """Angle 1 stays, angles 2 and 3 move."""
    net = PeriodicFeatures(MLP(2, 2 * element_map.count, (8,), context=context or 0))
    return Torus(Coupling(SlicePartition(3), net, element_map, context=context))


def _many_turns(n: int) -> torch.Tensor:
    return 20 * torch.randn(n, 4)


SAMPLES = [
    Sample(
        "circular spline, on the line",
        lambda: LearnedMap(CircularSplineMap(5), 4),
        inputs=_many_turns,
        perturb=1.0,
    ),
    Sample("moebius of the circle", lambda: LearnedMap(MoebiusMap(3), 4), inputs=_many_turns, perturb=1.0),
    Sample(
        "projection of the circle", lambda: LearnedMap(ProjectionMap(), 4), inputs=_many_turns, perturb=1.0
    ),
    Sample("torus, circular spline", lambda: Torus(LearnedMap(CircularSplineMap(), 3)), perturb=1.0),
    Sample("torus, coupling, spline", lambda: _torus_coupling(CircularSplineMap(4)), perturb=0.5),
    Sample(
        "torus, coupling, projection, context",
        lambda: _torus_coupling(ProjectionMap(), context=2),
        perturb=0.5,
    ),
    Sample("spherical coordinates", lambda: SphericalCoordinates(2)),
    Sample("spherical coordinates, six dimensions", lambda: SphericalCoordinates(5)),
    Sample("sphere, moebius", lambda: SphereMoebius(2), perturb=1.0),
    Sample("circle, moebius", lambda: SphereMoebius(1), perturb=1.0),
    Sample("sphere, push", lambda: SpherePush(2, centres=3), perturb=0.7),
    Sample("sphere, recursive", lambda: RecursiveSphere(2, bins=4, hidden_features=(8,)), perturb=0.5),
    Sample(
        "sphere of dimension 4, recursive, context",
        lambda: RecursiveSphere(4, bins=3, hidden_features=(8,), context=2, circle_map=ProjectionMap()),
        perturb=0.5,
    ),
    Sample(
        "sphere, chain",
        lambda: Chain(
            RecursiveSphere(2, bins=3, hidden_features=(8,)),
            Orthogonal(3, bias=False),
            SphereMoebius(2),
            Orthogonal(3, bias=False).inv,
        ),
        perturb=0.5,
    ),
]
