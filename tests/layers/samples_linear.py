"""Samples of the linear layers."""

import torch
from torch import Tensor, nn

from preimage.layers import (
    AlongDimensions,
    CayleyOrthogonal,
    Dense,
    ExponentialLinear,
    ExponentialOrthogonal,
    FrozenLinear,
    LowerTriangularLinear,
    LULinear,
    MaskedLULinear,
    Orthogonal,
    QRLinear,
    SharedBias,
    SVDLinear,
    UpperTriangularLinear,
    WoodburyLinear,
)
from preimage.testing import Sample


def _matrix(size: int) -> Tensor:
    return torch.randn(size, size) + 2 * torch.eye(size)


def _mirror() -> Tensor:
    return torch.eye(3).flip(0)


def _whole() -> Tensor:
    """Of determinant one, so that its inverse is exact in every precision."""
    return torch.tensor([[1.0, 2.0], [1.0, 3.0]])


SAMPLES = [
    Sample("frozen", lambda: FrozenLinear(LULinear.from_matrix(_whole())), free=(2, 3)),
    Sample(
        "along, columns",
        lambda: AlongDimensions(WoodburyLinear(4, 2), 3),
        inputs=lambda n: torch.randn(n, 2, 3, 4),
    ),
    Sample(
        "along, all positions",
        lambda: AlongDimensions(LULinear(6), (2, 3)),
        inputs=lambda n: torch.randn(n, 2, 3, 2),
    ),
    Sample(
        "along, last before first",
        lambda: AlongDimensions(QRLinear(6), (3, 1)),
        inputs=lambda n: torch.randn(n, 2, 2, 3),
    ),
    Sample("cayley", lambda: CayleyOrthogonal(4)),
    Sample("cayley, mirror, sequences", lambda: CayleyOrthogonal.from_matrix(_mirror()), free=(4,)),
    Sample("cayley, pictures, no bias", lambda: CayleyOrthogonal(3, bias=False), free=(2, 3)),
    Sample("exponential", lambda: ExponentialLinear(4)),
    Sample("exponential, pictures", lambda: ExponentialLinear(2), free=(2, 3), perturb=0.5),
    Sample("exponential orthogonal", lambda: ExponentialOrthogonal(4)),
    Sample(
        "exponential orthogonal, mirror, pictures",
        lambda: ExponentialOrthogonal.from_matrix(_mirror()),
        free=(2, 3),
    ),
    Sample("masked lu", lambda: MaskedLULinear(4)),
    Sample("masked lu, from a matrix, pictures", lambda: MaskedLULinear.from_matrix(_matrix(3)), free=(2, 2)),
    Sample("lower triangular", lambda: LowerTriangularLinear(4)),
    Sample(
        "lower triangular, from a matrix, pictures",
        lambda: LowerTriangularLinear.from_matrix(_matrix(3).tril()),
        free=(2, 2),
    ),
    Sample("upper triangular", lambda: UpperTriangularLinear(4)),
    Sample(
        "upper triangular, from a matrix, sequences",
        lambda: UpperTriangularLinear.from_matrix(_matrix(3).triu()),
        free=(3,),
    ),
    Sample("qr", lambda: QRLinear(4)),
    Sample("qr, from a matrix, pictures", lambda: QRLinear.from_matrix(_matrix(3)), free=(2, 3)),
    Sample("qr, one reflection", lambda: QRLinear(3, reflections=1, bias=False)),
    Sample("woodbury", lambda: WoodburyLinear(5, 2)),
    Sample("woodbury, pictures", lambda: WoodburyLinear(3, 1), free=(2, 3)),
    Sample("woodbury, rank above the size", lambda: WoodburyLinear(2, 3)),
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
