"""Critics: networks that score how much values look like data, or like latents."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from preimage.checks import as_tuple
from preimage.nets.conv_net import CONVOLUTIONS

Scores = Callable[[Any], Tensor]
"""A critic with its context filled in: from values ``(N, ...)`` to scores ``(N,)``."""


class FlatCritic(nn.Module):
    """A multilayer perceptron over all numbers of a row side by side, for vectors and for latents.

    Reference: Goodfellow et al. (2014), Generative adversarial networks, https://arxiv.org/abs/1406.2661

    Args:
        features: how many numbers a row holds, over all tensors.
        hidden_features: widths of the hidden layers.
        context: how many numbers the context of a row holds; 0 for none.

    Returns:
        Scores ``(N,)`` for a tensor ``(N, ...)`` or a tuple of such.

    Cost: O(N * weights).

    Example:
        >>> FlatCritic(5)((torch.zeros(3, 4), torch.zeros(3, 1))).shape
        torch.Size([3])
    """

    def __init__(self, features: int, hidden_features: Sequence[int] = (128, 128), context: int = 0) -> None:
        super().__init__()
        sizes = [features + context, *hidden_features]
        layers: list[nn.Module] = []
        for size, following in itertools.pairwise(sizes):
            layers += [nn.Linear(size, following), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, values: Any, context: Tensor | None = None) -> Tensor:
        """The scores."""
        parts = [*as_tuple(values), *([] if context is None else [context])]
        joined = torch.cat([part.flatten(1) for part in parts], dim=1)  # (N, features + context)
        return cast(Tensor, self.layers(joined))[:, 0]


class ConvCritic(nn.Module):
    """Convolutions that halve the size until it is 4, for signals and pictures.

    Reference: Radford, Metz, Chintala (2016), https://arxiv.org/abs/1511.06434

    Args:
        event_shape: ``(C, T)`` or ``(C, H, W)``.
        hidden_channels: channels after the first convolution; doubled with every halving, up to eight times.
        context: how many numbers the context of a row holds; 0 for none.

    Returns:
        Scores ``(N,)`` for a tensor ``(N, *event_shape)``.

    Cost: that of the convolutions.

    Example:
        >>> ConvCritic((3, 16, 16), 8)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2])
    """

    def __init__(self, event_shape: Sequence[int], hidden_channels: int = 32, context: int = 0) -> None:
        super().__init__()
        channels, *space = event_shape
        convolution = CONVOLUTIONS[len(space)]
        layers: list[nn.Module] = [convolution(channels, hidden_channels, 3, padding=1), nn.SiLU()]
        width = hidden_channels
        while max(space) > 4:
            following = min(2 * width, 8 * hidden_channels)
            layers += [convolution(width, following, 3, stride=2, padding=1), nn.SiLU()]
            width, space = following, [math.ceil(size / 2) for size in space]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        numbers = width * math.prod(space)
        self.last = FlatCritic(numbers, (128,) if context else (), context)

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """The scores."""
        return self.last(self.layers(values), context)


def default_critic(event_shape: Sequence[int], context: int = 0) -> nn.Module:
    """A critic for one tensor of this shape: convolutions where it has sizes of space.

    Args:
        event_shape: shape of one row.
        context: how many numbers the context of a row holds.

    Example:
        >>> type(default_critic((2,))).__name__, type(default_critic((1, 8, 8))).__name__
        ('FlatCritic', 'ConvCritic')
    """
    if len(event_shape) in (2, 3, 4):
        return ConvCritic(event_shape, context=context)
    return FlatCritic(math.prod(event_shape), context=context)


def spectral(critic: nn.Module) -> nn.Module:
    """Divide the weights of every linear layer and convolution by their largest singular value, in place.

    The critic then has a bounded slope without a penalty.

    Reference: Miyato, Kataoka, Koyama, Yoshida (2018), Spectral normalization for generative adversarial
    networks, https://arxiv.org/abs/1802.05957

    Args:
        critic: any module.

    Returns:
        The same module.

    Cost: one step of the power iteration a layer and training pass.

    Example:
        >>> critic = spectral(FlatCritic(2))
        >>> torch.linalg.matrix_norm(critic.layers[-1].weight, 2).item() < 1.5
        True
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    for layer in [layer for layer in critic.modules() if isinstance(layer, kinds)]:
        parametrizations.spectral_norm(layer)
    return critic
