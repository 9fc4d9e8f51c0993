"""Networks with a bounded slope, and what tests of residual layers do with them."""

import torch
from torch import nn

from preimage.layers import (
    ConcatenatedLipSwish,
    InducedNorms,
    LipschitzConvNet,
    LipschitzDenseConvNet,
    LipschitzDenseMLP,
    LipschitzMLP,
    ProximalConvNet,
    ProximalMLP,
)

NETWORKS = {
    "mlp": (lambda: LipschitzMLP(4, (16, 16)), (4,)),
    "mlp, both sides": (lambda: LipschitzMLP(4, (16,), activation=ConcatenatedLipSwish), (4,)),
    "convolutions": (lambda: LipschitzConvNet(2, (6,)), (2, 3, 2)),
    "convolutions, induced norm": (lambda: LipschitzConvNet(2, (6,), norms=InducedNorms([2.0])), (2, 3, 2)),
    "dense": (lambda: LipschitzDenseMLP(4, (6, 6)), (4,)),
    "dense convolutions": (lambda: LipschitzDenseConvNet(2, (4, 4), dims=1), (2, 4)),
    "proximal, one block": (lambda: ProximalMLP(4, (16,), strength=20.0), (4,)),
    "proximal, three blocks": (lambda: ProximalMLP(4, (16, 5, 16), strength=1.9), (4,)),
    "proximal convolutions": (lambda: ProximalConvNet(2, (4,), strength=5.0), (2, 3, 2)),
}


def loud(module: nn.Module, factor: float = 30.0) -> nn.Module:
    """Weights far above every bound, as after a bad step of training."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(factor)
    return module


def jacobians(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    flat = lambda v: network(v.view(1, *x.shape[1:])).flatten()  # noqa: E731
    return torch.stack([torch.autograd.functional.jacobian(flat, row.flatten()) for row in x])
