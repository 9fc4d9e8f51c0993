"""Small networks and pictures for the tests of decoders."""

import torch
from torch import Tensor, nn
from torch.nn import functional

import preimage as pi


class Square(nn.Module):
    """x -> x^2: on positive pictures it loses nothing, yet no linear map undoes it."""

    def forward(self, x):
        return x * x


def small_network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2, padding=1),
        nn.ReLU6(),
        nn.Conv2d(12, 8, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()


def smooth_pictures(count: int, side: int = 16, channels: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, channels, 4, 4, generator=generator)
    return functional.interpolate(small, (side, side), mode="bilinear")


def quick(**changes) -> pi.training.FitSettings:
    given = {"epochs": 2, "batch_size": 8, "progress": False, "patience": 0, "seed": 1}
    return pi.training.FitSettings(**{**given, **changes})
