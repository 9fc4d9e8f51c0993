"""Samples of the monotone maps with numerical inverses: few, because compiled searches are long."""

import torch

from preimage.layers import (
    BernsteinMap,
    Coupling,
    LearnedMap,
    LogisticMixtureMap,
    SlicePartition,
    SumOfSquaresMap,
)
from preimage.nets import MLP
from preimage.testing import Sample


def _wide(n: int) -> torch.Tensor:
    """Inside and outside of boxes."""
    return 3 * torch.randn(n, 4)


SAMPLES = [
    Sample(
        "coupling, logistic mixture",
        lambda: Coupling(SlicePartition(3), MLP(1, 2 * 8, (8,)), LogisticMixtureMap(2)),
        perturb=0.5,
    ),
    Sample(
        "sum of squares",
        lambda: LearnedMap(SumOfSquaresMap(2, 2), 2),
        inputs=lambda n: 3 * torch.randn(n, 2, 2),
    ),
    Sample("bernstein", lambda: LearnedMap(BernsteinMap(6), 4), inputs=_wide, perturb=1.0),
]
