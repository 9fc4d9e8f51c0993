"""Convolutions that keep the size, with a context vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from preimage.nets.zero_last_layer import zero_last_layer

CONVOLUTIONS: dict[int, type[nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def check_convolutions(where: str, dims: int, kernel_size: int, hidden_channels: Sequence[int]) -> None:
    """Refuse dimensions, kernels and widths that no stack of convolutions can have."""
    if dims not in CONVOLUTIONS or kernel_size % 2 == 0 or not hidden_channels:
        raise ValueError(
            f"{where}: got dims={dims}, kernel_size={kernel_size}, hidden_channels={hidden_channels},"
            " wanted 1, 2 or 3 dimensions, an odd kernel, and one or more hidden layers"
        )


class ConvNet(nn.Module):
    r"""Convolutions that keep the size, for signals and pictures, with an optional context vector.

    Wide kernels at both ends and kernels of size 1 between them; the context is added to the first hidden
    layer at every position, :math:`h_1 = \phi(K_1 * x + C c)`.

    Reference: Kingma, Dhariwal (2018), Glow, section 4, https://arxiv.org/abs/1807.03039

    Args:
        channels: number of input channels.
        outputs: number of output channels.
        hidden_channels: channels of the hidden layers, one or more.
        kernel_size: odd size of the first and last kernel, in every dimension.
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``.
        context: size of the context vector c; 0 for none.
        activation: class of the activation between layers.

    Returns:
        Tensor ``(N, outputs, ...)`` for an input ``(N, channels, ...)``; zeros before training.

    Raises:
        ValueError: no hidden layer, an even kernel, or ``dims`` is not 1, 2 or 3.

    Cost: two wide convolutions, and one product per position for each further layer.

    Example:
        >>> import torch
        >>> ConvNet(2, 4, (8,), context=3)(torch.randn(5, 2, 6, 6), torch.randn(5, 3)).shape
        torch.Size([5, 4, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        hidden_channels: Sequence[int] = (64, 64),
        *,
        kernel_size: int = 3,
        dims: int = 2,
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        check_convolutions("ConvNet", dims, kernel_size, hidden_channels)
        convolution, padding = CONVOLUTIONS[dims], kernel_size // 2
        self.first = convolution(channels, hidden_channels[0], kernel_size, padding=padding)
        self.context = nn.Linear(context, hidden_channels[0], bias=False) if context else None
        layers: list[nn.Module] = [activation()]
        for size, following in itertools.pairwise(hidden_channels):
            layers += [convolution(size, following, 1), activation()]
        layers.append(convolution(hidden_channels[-1], outputs, kernel_size, padding=padding))
        self.layers = zero_last_layer(nn.Sequential(*layers))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Run the layers on x, with the context added to the first hidden one."""
        hidden = self.first(x)  # (N, hidden, ...)
        if self.context is not None:
            embedded = self.context(context)  # (N, hidden)
            hidden = hidden + embedded.view(*embedded.shape, *[1] * (x.dim() - 2))
        return cast(Tensor, self.layers(hidden))
