"""Convolutions that look at a second picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from preimage.nets.conv_net import CONVOLUTIONS, check_convolutions
from preimage.nets.zero_last_layer import zero_last_layer


class MapContextConvNet(nn.Module):
    r"""Convolutions that keep the size, with a context of maps: a picture, or the features of a network.

    Every position sees all of the context that lies under it, :math:`h_1 = \phi(K_1 * x + C *_s c)`: the
    context is brought to ``stride`` times the size of x by the means of areas, and convolved with this
    stride.

    Reference: Lu, Huang (2020), Structured output learning with conditional generative flows,
    https://arxiv.org/abs/1905.13288; Kingma, Dhariwal (2018), Glow, section 4, https://arxiv.org/abs/1807.03039

    Args:
        channels: number of input channels.
        outputs: number of output channels.
        hidden_channels: channels of the hidden layers, one or more.
        context_channels: number of channels of the context.
        stride: how many positions of the context, in every dimension, belong to one of x.
        kernel_size: odd size of the first and last kernel, in every dimension.
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``.
        activation: class of the activation between layers.

    Returns:
        Tensor ``(N, outputs, ...)`` for an input ``(N, channels, ...)`` and a context
        ``(N, context_channels, ...)`` of any size in space; zeros before training.

    Raises:
        ValueError: no hidden layer, an even kernel, a stride below 1, or ``dims`` is not 1, 2 or 3.

    Cost: two wide convolutions and that of the context, and one product per position for each further layer.

    Example:
        >>> import torch
        >>> net = MapContextConvNet(2, 4, (8,), context_channels=3, stride=2)
        >>> net(torch.randn(5, 2, 6, 6), torch.randn(5, 3, 12, 12)).shape
        torch.Size([5, 4, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        hidden_channels: Sequence[int] = (64, 64),
        *,
        context_channels: int,
        stride: int = 1,
        kernel_size: int = 3,
        dims: int = 2,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        check_convolutions("MapContextConvNet", dims, kernel_size, hidden_channels)
        if stride < 1:
            raise ValueError(f"MapContextConvNet: stride is {stride}, wanted 1 or more")
        convolution, padding, self.stride = CONVOLUTIONS[dims], kernel_size // 2, stride
        self.first = convolution(channels, hidden_channels[0], kernel_size, padding=padding)
        reach = stride + 2 * padding  # what lies under a position, and as much around it as the kernel sees
        self.context = convolution(
            context_channels, hidden_channels[0], reach, stride=stride, padding=padding, bias=False
        )
        layers: list[nn.Module] = [activation()]
        for width, following in itertools.pairwise(hidden_channels):
            layers += [convolution(width, following, 1), activation()]
        layers.append(convolution(hidden_channels[-1], outputs, kernel_size, padding=padding))
        self.layers = zero_last_layer(nn.Sequential(*layers))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Run the layers on x, with the context added to the first hidden one."""
        wanted = [size * self.stride for size in x.shape[2:]]
        if list(context.shape[2:]) != wanted:
            context = functional.interpolate(context, wanted, mode="area")
        hidden = self.first(x) + self.context(context)  # (N, hidden, ...)
        return cast(Tensor, self.layers(hidden))
