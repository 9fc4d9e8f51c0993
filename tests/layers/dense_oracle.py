"""Linear maps against their matrices."""

import math

import torch
from torch import Tensor, nn

from preimage import Bijection


def double(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(layer: nn.Module, deviation: float = 0.2) -> nn.Module:
    for number, parameter in enumerate(layer.parameters()):
        nn.init.normal_(parameter, std=deviation, generator=torch.Generator().manual_seed(number))
    return layer


def dense(layer: Bijection, event: tuple[int, ...]) -> Tensor:
    """The matrix of a linear map without a shift, column by column."""
    unit = torch.eye(math.prod(event), dtype=torch.float64).view(-1, *event)
    return layer(unit).flatten(1).mT.detach()


def check_dense(layer: Bijection, event: tuple[int, ...], matrix: Tensor | None = None) -> None:
    """Values, inverse and log_det against the matrix."""
    matrix = dense(layer, event) if matrix is None else matrix
    x = double(3, *event)
    y, log_det = layer.forward_and_log_det(x)
    assert torch.allclose(y.flatten(1), x.flatten(1) @ matrix.mT, atol=1e-11)
    assert torch.allclose(log_det, torch.linalg.slogdet(matrix).logabsdet.expand(3), atol=1e-10)
    wanted = torch.linalg.solve(matrix, y.flatten(1).mT).mT
    assert torch.allclose(layer.inverse(y).flatten(1), wanted, atol=1e-9)
