"""Samples of the residual family."""

import torch

from preimage.domains import Reals
from preimage.layers import (
    AndersonSolver,
    AssumedLipschitz,
    ConcatenatedLipSwish,
    ConvexPotential,
    HouseholderDirections,
    InducedNorms,
    LipschitzConvNet,
    LipschitzDenseConvNet,
    LipschitzDenseMLP,
    LipschitzMLP,
    NewtonSolver,
    OrthogonalDirections,
    Planar,
    ProximalConvNet,
    ProximalMLP,
    ProximalResidual,
    Radial,
    Residual,
    ReversedDirections,
    Sylvester,
)
from preimage.nets import MLP
from preimage.testing import Sample

FEW = NewtonSolver(traced_steps=4)

SAMPLES = [
    Sample("residual", lambda: Residual(LipschitzMLP(3, (8,)), solver=FEW)),
    Sample(
        "residual, context, induced norms",
        lambda: Residual(
            LipschitzMLP(2, (6,), context=2, bound=0.7, norms=InducedNorms([2.0, 3.0])), solver=FEW
        ),
        perturb=0.6,
    ),
    Sample(
        "residual, signals, fixed points",
        lambda: Residual(
            LipschitzConvNet(2, (4,), dims=1, bound=0.5, activation=ConcatenatedLipSwish),
            solver=AndersonSolver(traced_steps=20),
        ),
        free=(3,),
    ),
    Sample(
        "residual, pictures, dense network, context",
        lambda: Residual(LipschitzDenseConvNet(1, (2,), bound=0.8, context=1), solver=FEW),
        free=(2, 3),
    ),
    Sample("residual, dense network", lambda: Residual(LipschitzDenseMLP(2, (3,)), solver=FEW)),
    Sample(
        "residual, any network",
        lambda: Residual(AssumedLipschitz(MLP(2, 2, (4,), context=1), 0.5, Reals(2), Reals(1)), solver=FEW),
    ),
    Sample("planar", lambda: Planar(3)),
    Sample("planar, pictures, context", lambda: Planar((1, 2, 2), context=2), perturb=0.3),
    Sample("radial", lambda: Radial(3)),
    Sample("radial, pictures, context", lambda: Radial((2, 2, 1), context=2)),
    Sample("sylvester, orthogonal", lambda: Sylvester(OrthogonalDirections(4, 2))),
    Sample("sylvester, householder", lambda: Sylvester(HouseholderDirections(3, 2))),
    Sample(
        "sylvester, triangular, context", lambda: Sylvester(ReversedDirections(3, reverse=True), context=2)
    ),
    Sample("proximal residual", lambda: ProximalResidual(ProximalMLP(3, (6,), strength=4.0), solver=FEW)),
    Sample(
        "proximal residual, signals, two blocks, context",
        lambda: ProximalResidual(
            ProximalConvNet(1, (3, 2), strength=1.5, dims=1, context=2, activation=torch.nn.Tanh), solver=FEW
        ),
        free=(4,),
    ),
    Sample("convex potential", lambda: ConvexPotential(3, (5, 4), solver=FEW), perturb=0.3),
    Sample(
        "convex potential, pictures, context", lambda: ConvexPotential((1, 2, 2), (5,), context=2, solver=FEW)
    ),
]
