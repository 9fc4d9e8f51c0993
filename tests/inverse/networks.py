"""Named networks for the inverse engine: what each is, its input shape, and what its inverse must achieve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from preimage.inverse import Guarantee


class Function(nn.Module):
    """A module made of plain code."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


class Coupling(nn.Module):
    """An affine coupling as anybody would write it."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        shift, scale = self.net(a).chunk(2, 1)
        return torch.cat([a, b * scale.tanh().exp() + shift], 1)


class Bottleneck(nn.Module):
    """A contractive residual block with batch norm and ReLU6."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 4 * channels, 1, bias=False),
            nn.BatchNorm2d(4 * channels),
            nn.ReLU6(),
            nn.Conv2d(4 * channels, 4 * channels, 3, padding=1, groups=4 * channels),
            nn.ReLU6(),
            nn.Conv2d(4 * channels, channels, 1),
        )
        with torch.no_grad():
            self.body[-1].weight.mul_(0.2)

    def forward(self, x):
        return x + self.body(x)


def _swap(x):
    first, second = x.unbind(1)
    return torch.stack([second * 2, first - 1], 1)


@dataclass(frozen=True)
class Sample:
    """One network.

    Args:
        make: builds it.
        shape: event shape of its input.
        guarantee: what the plan must promise.
        there_and_back: largest |g(f(x)) - x| / |x|, infinite where x is lost.
        back_and_there: largest |f(g(y)) - y| / |y|, infinite where nothing is promised.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    guarantee: Guarantee
    there_and_back: float
    back_and_there: float = 1e-9


INF = float("inf")
LEFT, RIGHT, EXACT = Guarantee.LEFT, Guarantee.RIGHT, Guarantee.EXACT
SEQ = nn.Sequential

SAMPLES: dict[str, Sample] = {
    "mlp": Sample(
        lambda: SEQ(
            nn.Linear(30, 12), nn.LeakyReLU(0.3), nn.Linear(12, 12), nn.LeakyReLU(0.3), nn.Linear(12, 5)
        ),
        (30,),
        RIGHT,
        INF,
    ),
    "tokens": Sample(lambda: SEQ(nn.Linear(4, 9), nn.Sigmoid(), nn.Linear(9, 11)), (5, 4), LEFT, 1e-9),
    "conv 1x1, norm, tanh": Sample(
        lambda: SEQ(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Tanh(), nn.Flatten(), nn.Linear(128, 200)),
        (3, 4, 4),
        LEFT,
        1e-9,
    ),
    "patches": Sample(
        lambda: SEQ(nn.Conv2d(3, 48, 4, 4), nn.ELU(), nn.Conv2d(48, 64, 1), nn.SELU()), (3, 8, 8), LEFT, 1e-8
    ),
    "conv 3x3": Sample(lambda: SEQ(nn.Conv2d(3, 8, 3, padding=1), nn.LeakyReLU(0.1)), (3, 9, 11), LEFT, 1e-8),
    "conv, dilated, grouped": Sample(
        lambda: SEQ(nn.Conv2d(4, 16, 3, padding=2, dilation=2, groups=2), nn.Softplus()),
        (4, 8, 7),
        LEFT,
        1e-7,
    ),
    "conv, stride 2": Sample(lambda: SEQ(nn.Conv2d(3, 4, 3, 2, 1), nn.CELU()), (3, 9, 9), RIGHT, INF, 1e-8),
    "conv 1d": Sample(lambda: SEQ(nn.Conv1d(2, 6, 5, padding=2), nn.PReLU(6)), (2, 14), LEFT, 1e-8),
    "transposed": Sample(lambda: SEQ(nn.ConvTranspose2d(3, 8, 2, 2)), (3, 4, 4), LEFT, 1e-8),
    "static padding": Sample(
        lambda: SEQ(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), nn.LeakyReLU(0.2)
        ),
        (3, 8, 8),
        LEFT,
        1e-7,
    ),
    "depthwise": Sample(
        lambda: SEQ(nn.Conv2d(3, 12, 3, padding=1, groups=3), nn.LeakyReLU(0.2)), (3, 7, 7), LEFT, 1e-7
    ),
    "expand, relu6": Sample(
        lambda: SEQ(nn.Conv2d(3, 40, 1), nn.BatchNorm2d(40), nn.ReLU6()), (3, 5, 5), Guarantee.CERTIFIED, 1e-8
    ),
    "wide conv, relu": Sample(
        lambda: SEQ(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU()), (3, 8, 8), Guarantee.CERTIFIED, 1e-6, 1e-6
    ),
    "expand twice, relu": Sample(
        lambda: SEQ(nn.Linear(3, 40), nn.ReLU(), nn.Linear(40, 400), nn.ReLU()),
        (3,),
        Guarantee.CERTIFIED,
        1e-7,
    ),
    "norm after relu": Sample(
        lambda: SEQ(nn.Conv1d(2, 30, 1), nn.ReLU(), nn.BatchNorm1d(30)), (2, 6), Guarantee.CERTIFIED, 1e-8
    ),
    "silu": Sample(lambda: SEQ(nn.Linear(4, 12), nn.SiLU()), (4,), Guarantee.CERTIFIED, 1e-8),
    "square silu": Sample(lambda: SEQ(nn.Linear(4, 4), nn.SiLU()), (4,), RIGHT, INF),
    "square gelu": Sample(lambda: SEQ(nn.Linear(4, 4), nn.GELU(), nn.GELU("tanh")), (4,), RIGHT, INF, INF),
    "hardswish": Sample(lambda: SEQ(nn.Linear(4, 3), nn.Hardswish()), (4,), RIGHT, INF),
    "average pool": Sample(
        lambda: SEQ(nn.Conv1d(2, 2, 1), nn.AvgPool1d(2), nn.Softplus()), (2, 10), RIGHT, INF
    ),
    "global average": Sample(
        lambda: SEQ(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)), (6, 5, 5), RIGHT, INF
    ),
    "max pool": Sample(lambda: SEQ(nn.MaxPool2d(2), nn.Sigmoid()), (2, 6, 6), RIGHT, INF),
    "overlapping max pool": Sample(lambda: SEQ(nn.MaxPool2d(3, 2, 1)), (2, 9, 9), RIGHT, INF),
    "coupling": Sample(Coupling, (4,), EXACT, 1e-12),
    "permute, flatten": Sample(
        lambda: SEQ(Function(lambda x: x.permute(0, 2, 3, 1).roll(1, 1)), nn.Flatten(), nn.Linear(36, 36)),
        (4, 3, 3),
        EXACT,
        1e-8,
    ),
    "pixel shuffle": Sample(lambda: SEQ(nn.PixelShuffle(2), nn.PixelUnshuffle(4)), (8, 6, 4), EXACT, 1e-12),
    "stack, unbind": Sample(lambda: Function(_swap), (2, 3), EXACT, 1e-12),
    "constants": Sample(
        lambda: Function(lambda x: (3 - x / torch.tensor([2.0, 4.0, 5.0])) * 0.5 + 1), (3,), EXACT, 1e-12
    ),
    "duplicate": Sample(lambda: Function(lambda x: torch.cat([x, 2 * x], 1)), (3,), LEFT, 1e-12),
    "residual": Sample(lambda: Bottleneck(3), (3, 5, 5), Guarantee.ITERATIVE, 1e-7, 1e-9),
    "residual, relu, wide": Sample(
        lambda: SEQ(nn.Conv2d(2, 24, 1), Bottleneck(24), nn.LeakyReLU(0.2)),
        (2, 4, 4),
        Guarantee.ITERATIVE,
        1e-6,
        1e-8,
    ),
    "dropout": Sample(lambda: SEQ(nn.Dropout(0.5), nn.Linear(3, 3), nn.Dropout(0.1)), (3,), EXACT, 1e-8),
}
