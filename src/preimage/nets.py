"""Conditioner networks: what computes the parameters of a coupling, for vectors, signals and pictures.

The last layer of each starts at zero, so a coupling whose element map is the identity at zero starts as the
identity. Any other module will do as well; :func:`zero_last_layer` gives it the same start.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

_CONVOLUTIONS: dict[int, type[nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def zero_last_layer(network: Network) -> Network:
    """Set weight and bias of the last linear or convolution layer to zero, so that the network returns 0.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.3, https://arxiv.org/abs/1807.03039

    Args:
        network: a module whose last layer, in the order of ``modules()``, is linear or a convolution.

    Returns:
        The same module, changed.

    Raises:
        ValueError: it holds no linear or convolution layer.

    Example:
        >>> import torch
        >>> zero_last_layer(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)))(torch.ones(1, 2))
        tensor([[0.]], grad_fn=<AddmmBackward0>)
    """
    kinds = (nn.Linear, *_CONVOLUTIONS.values())
    layers = [module for module in network.modules() if isinstance(module, kinds)]
    if not layers:
        raise ValueError(f"zero_last_layer: {type(network).__name__} holds no linear or convolution layer")
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)
    return network


class MLP(nn.Module):
    r"""Multilayer perceptron, :math:`h_{l+1} = \phi(W_l h_l + b_l)`, with an optional context beside its
    input.

    Reference: Rumelhart, Hinton, Williams (1986), https://doi.org/10.1038/323533a0

    Args:
        features: number of inputs.
        outputs: number of outputs.
        hidden_features: sizes of the hidden layers.
        context: size of the context, which is concatenated to the input; 0 for none.
        activation: class of the activation between layers.

    Returns:
        Tensor ``(N, outputs)`` for an input ``(N, features)``; zeros before training.

    Cost: O(N * sum of products of neighbouring sizes).

    Example:
        >>> import torch
        >>> MLP(2, 4, context=3)(torch.randn(5, 2), torch.randn(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        hidden_features: Sequence[int] = (64, 64),
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        sizes = [features + context, *hidden_features, outputs]
        layers: list[nn.Module] = []
        for size, following in itertools.pairwise(sizes):
            layers += [nn.Linear(size, following), activation()]
        self.layers = zero_last_layer(nn.Sequential(*layers[:-1]))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Run the layers on x, or on x and the context side by side."""
        joined = x if context is None else torch.cat([x, context], dim=1)
        return cast(Tensor, self.layers(joined))


class ResidualNet(nn.Module):
    r"""Residual network for vectors, :math:`h_{l+1} = h_l + B_l\, \phi(A_l\, \phi(h_l) + C_l c)`.

    Reference: He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks,
    https://arxiv.org/abs/1603.05027

    Args:
        features: number of inputs.
        outputs: number of outputs.
        hidden_features: width of every block.
        blocks: number of blocks.
        context: size of the context c, which enters every block; 0 for none.
        activation: class of the activation.

    Returns:
        Tensor ``(N, outputs)`` for an input ``(N, features)``; zeros before training.

    Cost: O(N * blocks * hidden_features^2).

    Example:
        >>> import torch
        >>> ResidualNet(2, 4, context=3)(torch.randn(5, 2), torch.randn(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        hidden_features: int = 64,
        blocks: int = 2,
        *,
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.first = nn.Linear(features, hidden_features)
        self.blocks = nn.ModuleList(
            _ResidualBlock(hidden_features, context, activation) for _ in range(blocks)
        )
        self.last = zero_last_layer(nn.Linear(hidden_features, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Run all blocks on x, with the context in each."""
        hidden = self.first(x)  # (N, hidden)
        for block in self.blocks:
            hidden = hidden + block(hidden, context)
        return cast(Tensor, self.last(hidden))


class _ResidualBlock(nn.Module):
    """What one block of a :class:`ResidualNet` adds."""

    def __init__(self, features: int, context: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.activation = activation()
        self.inner, self.outer = nn.Linear(features, features), nn.Linear(features, features)
        self.context = nn.Linear(context, features, bias=False) if context else None

    def forward(self, hidden: Tensor, context: Tensor | None) -> Tensor:
        inner = self.inner(self.activation(hidden))
        if self.context is not None:
            inner = inner + self.context(context)
        return cast(Tensor, self.outer(self.activation(inner)))


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
        if dims not in _CONVOLUTIONS or kernel_size % 2 == 0 or not hidden_channels:
            raise ValueError(
                f"ConvNet: got dims={dims}, kernel_size={kernel_size}, hidden_channels={hidden_channels},"
                " wanted 1, 2 or 3 dimensions, an odd kernel, and one or more hidden layers"
            )
        convolution, padding = _CONVOLUTIONS[dims], kernel_size // 2
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
