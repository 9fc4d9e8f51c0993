"""Velocities: networks that look at time, place and context."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class VelocityMLP(nn.Module):
    r"""A velocity for vectors, :math:`v(t, x) = W_L \tanh(\cdots \tanh(W_1 [x, t, c] + b_1) \cdots) + b_L`.

    Reference: Chen, Rubanova, Bettencourt, Duvenaud (2018), https://arxiv.org/abs/1806.07366

    Args:
        features: number of dimensions.
        hidden_features: width of each hidden layer.
        context: size of the context vector c; 0 for none.
        activation: class of a smooth activation.

    Returns:
        Tensor ``(N, features)`` for a time ``()`` and x ``(N, features)``.

    Cost: O(N * weights).

    Example:
        >>> VelocityMLP(2, (8,))(torch.tensor(0.5), torch.zeros(3, 2)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        features: int,
        hidden_features: Sequence[int] = (64, 64),
        context: int = 0,
        activation: type[nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        sizes = [features + 1 + context, *hidden_features, features]
        layers: list[nn.Module] = []
        for size, following in itertools.pairwise(sizes):
            layers += [nn.Linear(size, following), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, time: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The velocity at this time and place."""
        times = time.to(x.dtype).expand(x.shape[0], 1)
        inputs = [x, times] if context is None else [x, times, context]
        return cast(Tensor, self.layers(torch.cat(inputs, dim=1)))


class VelocityConvNet(nn.Module):
    """A velocity for signals and pictures: convolutions that keep the size, with the time as a channel.

    Reference: Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019), https://arxiv.org/abs/1810.01367

    Args:
        channels: number of channels.
        hidden_channels: channels of each hidden layer.
        kernel_size: odd size of the kernels.
        dims: number of dimensions of space, 1 to 3.
        context: size of a context vector, which is added to the first hidden layer; 0 for none.
        activation: class of a smooth activation.

    Returns:
        Tensor ``(N, channels, ...)`` for a time ``()`` and x of that shape.

    Raises:
        ValueError: an even kernel, or ``dims`` is not 1, 2 or 3.

    Cost: that of the convolutions.

    Example:
        >>> VelocityConvNet(2, (4,))(torch.tensor(0.5), torch.zeros(1, 2, 4, 4)).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: Sequence[int] = (64, 64),
        *,
        kernel_size: int = 3,
        dims: int = 2,
        context: int = 0,
        activation: type[nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        convolutions = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
        if dims not in convolutions or kernel_size % 2 == 0:
            raise ValueError(
                f"VelocityConvNet: got dims={dims} and kernel_size={kernel_size}, wanted 1, 2 or 3 dimensions"
                " and an odd kernel"
            )
        sizes = [channels + 1, *hidden_channels, channels]
        make = convolutions[dims]
        self.layers = nn.ModuleList(
            make(size, following, kernel_size, padding=kernel_size // 2)
            for size, following in itertools.pairwise(sizes)
        )
        self.activation = activation()
        self.context = nn.Linear(context, sizes[1], bias=False) if context else None

    def forward(self, time: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The velocity at this time, everywhere."""
        times = time.to(x.dtype).expand(x.shape[0], 1, *x.shape[2:])
        h = self.layers[0](torch.cat([x, times], dim=1))
        if self.context is not None:
            embedded = self.context(context)  # (N, H)
            h = h + embedded.view(*embedded.shape, *[1] * (x.dim() - 2))
        for layer in self.layers[1:]:
            h = layer(self.activation(h))
        return h


class PotentialVelocity(nn.Module):
    r"""A velocity without curl, :math:`v = -\nabla_x \Phi(s)` with :math:`s = (x, t)` and

    .. math:: \Phi(s) = w^T u_2 + \tfrac12 \|A s\|^2 + b^T s, \qquad
              u_1 = \sigma(K_1 s + b_1), \quad u_2 = u_1 + \sigma(K_2 u_1 + b_2),
              \quad \sigma = \log\cosh.

    Optimal transport moves along straight lines, with a velocity of this kind.

    Reference: Onken, Wu Fung, Li, Ruthotto (2021), OT-Flow, https://arxiv.org/abs/2006.00104

    Args:
        features: number of dimensions.
        hidden_features: width of the network.
        rank: number of rows of A.

    Returns:
        Tensor ``(N, features)`` for a time ``()`` and x ``(N, features)``.

    Cost: O(N * hidden_features * (features + hidden_features)).

    Example:
        >>> PotentialVelocity(2, 8)(torch.tensor(0.5), torch.zeros(3, 2)).shape
        torch.Size([3, 2])
    """

    def __init__(self, features: int, hidden_features: int = 64, rank: int = 10) -> None:
        super().__init__()
        self.first = nn.Linear(features + 1, hidden_features)
        self.second = nn.Linear(hidden_features, hidden_features)
        self.weight = nn.Parameter(torch.ones(hidden_features) / hidden_features)
        self.quadratic = nn.Linear(features + 1, min(rank, features + 1), bias=False)
        self.linear = nn.Parameter(torch.zeros(features + 1))

    def gradient(self, time: Tensor, x: Tensor) -> Tensor:
        """All derivatives of the potential ``(N, features + 1)``, that by the time last."""
        s = torch.cat([x, time.to(x.dtype).expand(x.shape[0], 1)], dim=1)
        before = self.first(s)  # (N, H)
        inner = torch.tanh(self.second(_log_cosh(before)))
        pull = (self.weight + (inner * self.weight) @ self.second.weight) * torch.tanh(before)
        return pull @ self.first.weight + self.quadratic(s) @ self.quadratic.weight + self.linear

    def forward(self, time: Tensor, x: Tensor) -> Tensor:
        """Minus the gradient by x."""
        return -self.gradient(time, x)[:, :-1]


def _log_cosh(x: Tensor) -> Tensor:
    """Without overflow; up to the constant log 2."""
    return functional.softplus(2 * x) - x
