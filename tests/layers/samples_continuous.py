"""Samples of the continuous family."""

from preimage.domains import Reals
from preimage.layers import Extrapolation, NeuralODE, PotentialVelocity, VelocityConvNet, VelocityMLP
from preimage.testing import Sample

SAMPLES = [
    Sample(
        "neural ode",
        lambda: NeuralODE(VelocityMLP(3, (6,)), Reals(3), solver=Extrapolation(1, order=6), duration=0.05),
    ),
    Sample(
        "neural ode, signals, context",
        lambda: NeuralODE(
            VelocityConvNet(1, (2,), dims=1, context=2),
            Reals(1, None),
            context_domain=Reals(2),
            solver=Extrapolation(1, order=6),
            duration=0.05,
        ),
        free=(3,),
    ),
    Sample(
        "neural ode, potential",
        lambda: NeuralODE(PotentialVelocity(2, 4), Reals(2), solver=Extrapolation(1, order=6), duration=0.05),
    ),
]
