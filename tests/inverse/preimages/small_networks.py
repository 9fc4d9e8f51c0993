"""Small networks with fixed weights for the tests of preimages on demand."""

from itertools import pairwise

import torch
from torch import nn

import preimage as pi


def mlp(*sizes, activation=lambda: nn.LeakyReLU(0.3), seed=0):
    """Linear layers with an activation between them, float64, weights of a generator of its own."""
    layers = []
    for given, made in pairwise(sizes):
        layers += [nn.Linear(given, made), activation()]
    network = nn.Sequential(*layers[:-1]).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Linear):
                spread = layer.in_features**-0.5
                layer.weight.copy_(spread * torch.randn(layer.weight.shape, generator=generator).double())
                layer.bias.copy_(0.1 * torch.randn(layer.bias.shape, generator=generator).double())
    return network.eval()


def inverse_of(network, size):
    return pi.invert(network, torch.zeros(1, size).double())


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
