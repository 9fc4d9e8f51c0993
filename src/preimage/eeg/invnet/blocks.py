"""The block of EEG-InvNet: normalise, mix the channels, let half of them move the other half."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from preimage.bijection import Chain
from preimage.layers import (
    ActNorm,
    AdditiveMap,
    Conjugate,
    Coupling,
    ElementMap,
    MaskedLULinear,
    ShiftScaleMap,
    SlicePartition,
    TwiceSigmoidScale,
)


class ConvolutionConditioner(nn.Module):
    r"""Two wide convolutions over time.

    .. math:: h \mapsto g \cdot K_2 * \operatorname{drop}(\operatorname{ELU}(K_1 * h))

    The gain g of every output channel starts at zero, so the network starts by returning zero, while both
    kernels start at random.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks; ELU: Clevert, Unterthiner, Hochreiter (2016),
    https://arxiv.org/abs/1511.07289

    Args:
        channels: number of input channels.
        outputs: number of output channels.
        hidden_channels: channels between the convolutions.
        kernel_size: odd number of samples that both kernels cover.
        dropout: share of the hidden channels' values set to zero in training, in [0, 1).

    Returns:
        Tensor ``(N, outputs, T)`` for an input ``(N, channels, T)``.

    Raises:
        ValueError: an even kernel, or no hidden channels.

    Cost: ``kernel_size * hidden_channels * (channels + outputs)`` products a sample.

    Example:
        >>> ConvolutionConditioner(21, 42)(torch.randn(2, 21, 64)).abs().max().item()
        0.0
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        hidden_channels: int = 256,
        kernel_size: int = 11,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0 or hidden_channels < 1:
            raise ValueError(
                f"ConvolutionConditioner: kernel_size is {kernel_size}, hidden_channels {hidden_channels};"
                " wanted an odd kernel, such as 11, and 1 channel or more"
            )
        padding = kernel_size // 2
        self.layers = nn.Sequential(
            nn.Conv1d(channels, hidden_channels, kernel_size, padding=padding),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Conv1d(hidden_channels, outputs, kernel_size, padding=padding),
        )
        self.gain = nn.Parameter(torch.zeros(outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Both convolutions, times the gain."""
        return self.gain * self.layers(x)  # (N, outputs, T)


@dataclass(frozen=True)
class BlockSettings:
    """Sizes that all blocks of a network share.

    Args:
        hidden_channels: channels inside a conditioner.
        kernel_size: odd number of samples that its kernels cover.
        dropout: share of its hidden values set to zero in training, in [0, 1).
    """

    hidden_channels: int = 256
    kernel_size: int = 11
    dropout: float = 0.5


class InvNetBlock(Chain, abc.ABC):
    r"""Normalisation, a linear map of the channels, and a coupling between a rotation and its inverse.

    .. math:: x \mapsto R^{-1} c(R\, W s (x + b)), \qquad c: (a, b) \mapsto (g(a; \theta(b)), b)

    The second half of the channels decides how the first half moves. At the start s = 1, b = 0, W is the
    identity, R a random rotation and g the identity: so is the block, and no batch of data changes that.

    Args:
        channels: even number C of channels.
        settings: of the conditioner.

    Raises:
        ValueError: the number of channels is odd or less than two.

    Example:
        >>> x = torch.randn(2, 4, 16)
        >>> torch.allclose(AdditiveBlock(4, BlockSettings(hidden_channels=8))(x), x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, settings: BlockSettings | None = None) -> None:
        if channels < 2 or channels % 2:
            raise ValueError(
                f"{type(self).__name__}: channels is {channels}, wanted an even number, such as 42"
            )
        settings = BlockSettings() if settings is None else settings
        element_map, half = self.element_map(), channels // 2
        sizes = (settings.hidden_channels, settings.kernel_size, settings.dropout)
        conditioner = ConvolutionConditioner(half, half * element_map.count, *sizes)
        coupling = Coupling(SlicePartition(channels, keep=half, first=False), conditioner, element_map)
        mixing, turned = MaskedLULinear(channels, bias=False), Conjugate(_rotation(channels), coupling)
        super().__init__(_normalisation(channels), mixing, turned)

    @property
    def normalisation(self) -> ActNorm:
        """The first layer, s (x + b)."""
        return cast(ActNorm, self[0])

    @property
    def mixing(self) -> MaskedLULinear:
        """The second layer, W."""
        return cast(MaskedLULinear, self[1])

    @abc.abstractmethod
    def element_map(self) -> ElementMap:
        """The map g of single numbers."""


class AdditiveBlock(InvNetBlock):
    """The block with shifts, g(a; t) = a + t: the volume changes in normalisation and linear map only.

    Reference: Dinh, Krueger, Bengio (2015), NICE, https://arxiv.org/abs/1410.8516

    Cost: that of the conditioner.

    Example:
        >>> block = AdditiveBlock(42)
        >>> sum(parameter.numel() for parameter in block.parameters())
        125794
    """

    def element_map(self) -> ElementMap:
        """Shifts."""
        return AdditiveMap()


class AffineBlock(InvNetBlock):
    """The block with shifts and scales between 0.01 and 1.99, g(a; t, s) = s (a + t).

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, https://arxiv.org/abs/1605.08803

    Cost: that of the conditioner.

    Example:
        >>> block = AffineBlock(42)
        >>> sum(parameter.numel() for parameter in block.parameters())
        184972
    """

    def element_map(self) -> ElementMap:
        """Shifts, then scales."""
        return ShiftScaleMap(TwiceSigmoidScale(0.01))


def _normalisation(channels: int) -> ActNorm:
    layer = ActNorm(channels, TwiceSigmoidScale(0.01))
    layer.settle()  # starts as the identity, not from the first batch
    return layer


def _rotation(channels: int) -> MaskedLULinear:
    turn = torch.linalg.qr(torch.randn(channels, channels)).Q
    return MaskedLULinear.from_matrix(turn, bias=False)
