"""Samples of the continuous family."""

from preimage.domains import Reals
from preimage.layers import (
    Extrapolation,
    HamiltonJacobi,
    JacobianNorm,
    KineticEnergy,
    NeuralODE,
    PotentialVelocity,
    VelocityConvNet,
    VelocityMLP,
)
from preimage.testing import Sample


def _regularised() -> NeuralODE:
    velocity = PotentialVelocity(2, 4)
    penalties = [KineticEnergy(), JacobianNorm(), HamiltonJacobi(velocity)]
    solver = Extrapolation(1, order=4)
    return NeuralODE(velocity, Reals(2), solver=solver, duration=0.01, penalties=penalties)


SAMPLES = [
    Sample(
        "neural ode",
        lambda: NeuralODE(VelocityMLP(3, (6,)), Reals(3), solver=Extrapolation(1, order=4), duration=0.01),
    ),
    Sample(
        "neural ode, signals, context",
        lambda: NeuralODE(
            VelocityConvNet(1, (2,), dims=1, context=2),
            Reals(1, None),
            context_domain=Reals(2),
            solver=Extrapolation(1, order=4),
            duration=0.01,
        ),
        free=(3,),
    ),
    Sample(
        "neural ode, potential",
        _regularised,
    ),
]
