"""A small residual network as a conditioner."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from preimage.nets import zero_last_layer

CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
DROPOUTS: dict[int, Callable[..., nn.Module]] = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}


class ResidualConvNet(nn.Module):
    r"""Residual blocks of convolutions that keep the size, with group normalisation and dropout.

    Every block is :math:`x + K_2 * d(\phi(\nu(K_1 * \phi(\nu(x)))))`, with normalisation :math:`\nu` over
    groups of channels, the activation SiLU :math:`\phi`, and dropout d of whole channels.

    Reference: He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks,
    https://arxiv.org/abs/1603.05027; Wu, He (2018), Group normalization, https://arxiv.org/abs/1803.08494

    Args:
        channels: number of input channels.
        outputs: number of output channels.
        hidden_channels: channels between.
        blocks: number of residual blocks of two convolutions.
        dims: number of dimensions of space, 1 to 3.
        dropout: share of channels left out while training.

    Returns:
        Tensor ``(N, outputs, ...)`` for an input ``(N, channels, ...)``; zeros before training.

    Cost: ``2 blocks + 1`` convolutions of width 3.

    Example:
        >>> import torch
        >>> ResidualConvNet(2, 4, hidden_channels=8)(torch.randn(5, 2, 6, 6)).shape
        torch.Size([5, 4, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        hidden_channels: int = 64,
        blocks: int = 1,
        dims: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dims]
        self.first = convolution(channels, hidden_channels, 3, padding=1)
        self.blocks = nn.Sequential(*[_ResidualBlock(hidden_channels, dims, dropout) for _ in range(blocks)])
        self.last = nn.Sequential(
            _norm(hidden_channels), nn.SiLU(), zero_last_layer(convolution(hidden_channels, outputs, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """The outputs ``(N, outputs, ...)``."""
        return self.last(self.blocks(self.first(x)))


class _ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int, dims: int, dropout: float) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dims]
        self.branch = nn.Sequential(
            _norm(channels),
            nn.SiLU(),
            convolution(channels, channels, 3, padding=1),
            _norm(channels),
            nn.SiLU(),
            DROPOUTS[dims](dropout),
            convolution(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        return x + self.branch(x)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(next(groups for groups in (8, 4, 2, 1) if channels % groups == 0), channels)
