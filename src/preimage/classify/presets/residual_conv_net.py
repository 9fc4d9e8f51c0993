"""A small strided residual network as a conditioner."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from preimage.layers import Squeeze
from preimage.nets import zero_last_layer

CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[int, Callable[..., nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class ResidualConvNet(nn.Module):
    r"""Residual blocks of convolutions at half the size, with batch normalisation.

    One convolution at the full size, one that halves it, the blocks, and back by spreading channels in space.
    Learns classes in fewer passes over the data than plain convolutions do. In training mode rows of a
    batch see each other through the normalisation; evaluate in evaluation mode, where they do not.

    Reference: He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition,
    https://arxiv.org/abs/1512.03385

    Args:
        channels: number of input channels.
        outputs: number of output channels.
        hidden_channels: channels of the blocks; half as many before them.
        blocks: number of residual blocks of two convolutions.
        dims: number of dimensions of space, 1 to 3.

    Returns:
        Tensor ``(N, outputs, ...)`` for an input ``(N, channels, ...)`` of even sizes; zeros before
        training.

    Cost: ``2 blocks + 2`` convolutions of width 3.

    Example:
        >>> ResidualConvNet(2, 4, hidden_channels=8, blocks=1)(torch.randn(5, 2, 6, 6)).shape
        torch.Size([5, 4, 6, 6])
    """

    def __init__(
        self, channels: int, outputs: int, hidden_channels: int = 64, blocks: int = 1, dims: int = 2
    ) -> None:
        super().__init__()
        convolution, norm = CONVOLUTIONS[dims], NORMS[dims]
        layers = [_ResidualBlock(hidden_channels, dims) for _ in range(blocks)]
        first = hidden_channels // 2
        self.stem = nn.Sequential(
            convolution(channels, first, 3, padding=1, bias=False),
            norm(first),
            nn.ReLU(),
            convolution(first, hidden_channels, 3, padding=1, stride=2, bias=False),
            norm(hidden_channels),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*layers)
        self.head = zero_last_layer(convolution(hidden_channels, outputs * 2**dims, 1))
        self.spread = Squeeze([2] * dims).inv

    def forward(self, x: Tensor) -> Tensor:
        """The outputs ``(N, outputs, ...)``."""
        small = self.head(self.blocks(self.stem(x)))  # (N, outputs * 2 ** dims, ... / 2)
        return self.spread(small.to(x.dtype))


class _ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int, dims: int) -> None:
        super().__init__()
        convolution, norm = CONVOLUTIONS[dims], NORMS[dims]
        self.branch = nn.Sequential(
            convolution(channels, channels, 3, padding=1, bias=False),
            norm(channels),
            nn.ReLU(),
            convolution(channels, channels, 3, padding=1, bias=False),
            norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The sum, rectified."""
        return torch.relu(x + self.branch(x))
