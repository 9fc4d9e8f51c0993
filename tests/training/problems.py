"""Small problems that every test of training can solve in a moment."""

import torch
from torch import nn

from preimage import Chain
from preimage.flows import Flow, Normal
from preimage.layers import ActNorm, Coupling, Permutation
from preimage.nets import MLP
from preimage.training import FitSettings


def moons(rows=512, seed=0):
    """Two half-circles with noise, ``(N, 2)``."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.rand(rows, generator=generator) * torch.pi
    upper = torch.rand(rows, generator=generator) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    return torch.stack([x, y], dim=1) + 0.1 * torch.randn(rows, 2, generator=generator)


def small_flow(seed=0, layers=3):
    """A flow that can learn the moons, with a layer that starts from data."""
    torch.manual_seed(seed)
    chain = [ActNorm(2)]
    for number in range(layers):
        chain += [Coupling(torch.tensor([True, False]), MLP(1, 2, (32,))), Permutation([1, 0])]
        if number == 0:
            chain.append(ActNorm(2))
    return Flow(Chain(*chain), Normal(2))


def line(seed=0):
    """A linear model, for tests that need no flow."""
    torch.manual_seed(seed)
    return nn.Linear(2, 1)


def squares(model, batch):
    """The square of the output of every row."""
    return model(batch[0])[:, 0].square()


def quiet(**settings):
    """Settings of a short run without a bar."""
    return FitSettings(**({"epochs": 3, "batch_size": 64, "progress": False} | settings))
