"""Maps that are no contractions, so that Newton's method alone gets stuck."""

import torch
from torch import nn


class Mobile(nn.Module):
    """A residual block whose branch is no contraction; places along any number of axes."""

    def __init__(self, channels, axes, gain):
        super().__init__()
        kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        wide = 6 * channels
        self.expand, self.mix = kind(channels, wide, 1), kind(wide, wide, 3, padding=1, groups=wide)
        self.project = kind(wide, channels, 1)
        with torch.no_grad():
            for layer in (self.expand, self.mix, self.project):
                layer.weight.mul_(gain)

    def forward(self, x):
        return x + self.project(nn.functional.relu6(self.mix(nn.functional.relu6(self.expand(x)))))


def folded(x):
    """Not monotone: most values have three preimages."""
    return x + 3 * x.sin()
