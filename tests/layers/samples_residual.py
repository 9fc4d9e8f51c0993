"""Samples of the residual family: contractions, planar, radial and Sylvester maps, gradients of potentials."""

from preimage.layers import (
    AndersonSolver,
    ConcatenatedLipSwish,
    InducedNorms,
    LipschitzConvNet,
    LipschitzDenseConvNet,
    LipschitzDenseMLP,
    LipschitzMLP,
    Residual,
)
from preimage.testing import Sample

SAMPLES = [
    Sample("residual", lambda: Residual(LipschitzMLP(3, (8,)))),
    Sample(
        "residual, context, induced norms",
        lambda: Residual(LipschitzMLP(2, (6,), context=2, bound=0.7, norms=InducedNorms([2.0, 3.0]))),
        perturb=0.6,
    ),
    Sample(
        "residual, signals, fixed points",
        lambda: Residual(
            LipschitzConvNet(2, (4,), dims=1, bound=0.6, activation=ConcatenatedLipSwish),
            solver=AndersonSolver(),
        ),
        free=(3,),
    ),
    Sample("residual, dense network", lambda: Residual(LipschitzDenseMLP(2, (3, 3), bound=0.9)), perturb=0.3),
    Sample(
        "residual, pictures, dense network, context",
        lambda: Residual(LipschitzDenseConvNet(1, (2,), bound=0.8, context=1)),
        free=(2, 3),
    ),
]
