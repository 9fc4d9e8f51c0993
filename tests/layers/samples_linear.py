"""Samples of the linear layers."""

import torch
from torch import Tensor, nn

from preimage.layers import Dense, LULinear, Orthogonal, SharedBias, SVDLinear
from preimage.testing import Sample


def _matrix(size: int) -> Tensor:
    return torch.randn(size, size) + 2 * torch.eye(size)


SAMPLES = [
    Sample("dense", lambda: Dense(3)),
    Sample("dense, pictures", lambda: Dense(2), free=(2, 3)),
    Sample("dense, shared with a linear layer", lambda: Dense.from_linear(nn.Linear(4, 4))),
    Sample("lu", lambda: LULinear(4)),
    Sample("lu, from a matrix, sequences", lambda: LULinear.from_matrix(_matrix(3), bias=False), free=(4,)),
    Sample("lu, pictures", lambda: LULinear.from_matrix(_matrix(2)), free=(2, 3)),
    Sample("lu, one feature", lambda: LULinear(1)),
    Sample("orthogonal", lambda: Orthogonal(4)),
    Sample("orthogonal, two reflections, mirrored", lambda: Orthogonal(5, 2, determinant=-1)),
    Sample("orthogonal, identity, sequences", lambda: Orthogonal.from_matrix(torch.eye(3)), free=(4,)),
    Sample("orthogonal, pictures, no bias", lambda: Orthogonal(3, bias=False), free=(2, 2)),
    Sample("orthogonal, several blocks", lambda: Orthogonal(70), perturb=0.01),
    Sample("shared bias", lambda: SharedBias(nn.Linear(2, 3))),
    Sample("shared bias, pictures", lambda: SharedBias(nn.Conv2d(1, 2, 3)), free=(2, 3)),
    Sample("svd", lambda: SVDLinear(4)),
    Sample("svd, from a matrix, pictures", lambda: SVDLinear.from_matrix(_matrix(3)), free=(2, 2)),
    Sample("svd, one reflection", lambda: SVDLinear(3, reflections=1, condition=10.0)),
]
