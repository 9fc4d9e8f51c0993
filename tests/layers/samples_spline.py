"""Samples of the splines."""

import torch
from torch import nn

from preimage.functional.splines import Quadratic, RationalQuadratic
from preimage.layers import (
    BoundedKnots,
    ConditionalMap,
    Coupling,
    CubicSplineMap,
    CustomSplineMap,
    FreeEndKnots,
    GINCoupling,
    LearnedMap,
    LinearSplineMap,
    MaskPartition,
    QuadraticSplineMap,
    RationalQuadraticMap,
    SlicePartition,
    SoftmaxKnots,
)
from preimage.nets import MLP
from preimage.testing import Sample


def _coupling(element_map, **settings):
    """Two features stay, three move."""
    return Coupling(SlicePartition(5, keep=2), MLP(2, 3 * element_map.count, (8,), **settings), element_map)


class _ConvWithContext(nn.Module):
    """A conditioner for pictures with a context vector."""

    def __init__(self, channels: int, outputs: int, context: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, outputs, 3, padding=1)
        self.embedding = nn.Linear(context, outputs)

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        return self.convolution(x) + self.embedding(context)[:, :, None, None]


def _wide(n: int) -> torch.Tensor:
    """Inside and outside of the box."""
    return 3 * torch.randn(n, 4)


SAMPLES = [
    Sample("rational quadratic", lambda: LearnedMap(RationalQuadraticMap(), 4), inputs=_wide, perturb=1.0),
    Sample(
        "rational quadratic, one for all, steep",
        lambda: LearnedMap(RationalQuadraticMap(5, 2.0, steepness=100.0)),
        free=(3,),
        perturb=3.0,
        tolerance=10,
    ),
    Sample(
        "rational quadratic, pictures",
        lambda: LearnedMap(RationalQuadraticMap(3), 2),
        free=(2, 3),
        perturb=1.0,
    ),
    Sample(
        "rational quadratic, per position",
        lambda: LearnedMap(RationalQuadraticMap(2, 1.0), (2, 2, 2)),
        perturb=1.0,
    ),
    Sample(
        "rational quadratic, free ends",
        lambda: LearnedMap(CustomSplineMap(RationalQuadratic(), FreeEndKnots(4, 1.0)), 4),
        inputs=_wide,
        perturb=1.0,
    ),
    Sample(
        "rational quadratic, softmax knots",
        lambda: LearnedMap(CustomSplineMap(RationalQuadratic(), SoftmaxKnots(6)), 4),
        inputs=_wide,
        perturb=1.0,
    ),
    Sample(
        "quadratic curve, bounded knots",
        lambda: LearnedMap(CustomSplineMap(Quadratic(), BoundedKnots(4)), 3),
        perturb=0.3,
    ),
    Sample("linear spline", lambda: LearnedMap(LinearSplineMap(), 4), inputs=_wide, perturb=1.0),
    Sample("quadratic spline", lambda: LearnedMap(QuadraticSplineMap(), 4), inputs=_wide, perturb=1.0),
    Sample("cubic spline", lambda: LearnedMap(CubicSplineMap(4), 4), inputs=_wide, perturb=1.0),
    Sample("coupling, rational quadratic", lambda: _coupling(RationalQuadraticMap(4)), perturb=0.5),
    Sample(
        "coupling, rational quadratic, checkerboard",
        lambda: Coupling(
            MaskPartition.checkerboard(3, 2), nn.Conv2d(2, 2 * 11, 3, padding=1), RationalQuadraticMap(4)
        ),
        free=(2,),
    ),
    Sample(
        "coupling, linear spline, context",
        lambda: Coupling(SlicePartition(4), MLP(2, 2 * 8, (8,), context=3), LinearSplineMap(4), context=3),
        perturb=0.5,
    ),
    Sample(
        "conditional map, quadratic spline",
        lambda: ConditionalMap(3, nn.Linear(2, 3 * 7), QuadraticSplineMap(4), context=2),
        free=(2,),
        perturb=0.5,
    ),
    Sample("gin", lambda: GINCoupling(SlicePartition(5, keep=2), MLP(2, 6, (8,))), perturb=0.5),
    Sample(
        "gin, pictures, any mask, context",
        lambda: GINCoupling(
            MaskPartition(torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0)) > 0.4),
            _ConvWithContext(3, 6, 2),
            context=2,
        ),
    ),
]
