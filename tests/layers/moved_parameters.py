"""Modules away from where they start."""

import torch
from torch import nn


def moved(module: nn.Module, deviation: float = 0.5, seed: int = 0) -> nn.Module:
    """In float64, with every parameter away from its start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.add_(deviation * torch.randn(parameter.shape, generator=generator).double())
    return module
