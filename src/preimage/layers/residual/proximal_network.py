"""Averaged proximal networks: contractions in disguise, of any strength."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.checks import Context
from preimage.domains import Domain, Reals
from preimage.layers.residual.lipschitz_network import (
    LipschitzNetwork,
    as_context,
    capped,
    conditioned,
    embedding,
    vector_domain,
)
from preimage.layers.residual.operator_norms import SpectralNorms

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}

Map = Callable[[Tensor], Tensor]


class ProximalNetwork(LipschitzNetwork):
    r"""A composition of K blocks :math:`x \mapsto T_k^T \phi(T_k x + b_k)` with :math:`\|T_k\| \le 1`.

    Activations with slopes between 0 and 1 are proximal maps, so each block is averaged: half the identity,
    half a map that stretches nothing. The composition is averaged with :math:`t = K / (K + 1)`:

    .. math:: \Phi = (1 - t)\,\mathrm{id} + t R, \qquad \|R(x) - R(x')\| \le \|x - x'\|.

    As a Lipschitz network it is the contraction of a :class:`ProximalResidual` of strength gamma,
    :math:`g = (\gamma \Phi - \gamma (1 - t)\,\mathrm{id}) / a` with :math:`a = 1 + \gamma - \gamma t`, whose
    constant is :math:`\gamma t / a < 1`.

    Reference: Hasannasab, Hertrich, Neumayer, Plonka, Setzer, Steidl (2020), Parseval proximal neural
    networks, https://doi.org/10.1007/s00041-020-09761-7; Hertrich (2023), Proximal residual flows,
    https://arxiv.org/abs/2211.17158

    Args:
        strength: gamma, positive and below (K + 1) / (K - 1); any for one block.
        hidden: number of hidden channels of each of the K blocks.
        domain: what comes in.
        context: size of the context vector; 0 for none.
        activation: class of an activation with slopes between 0 and 1.

    Raises:
        ValueError: the strength is out of range.
    """

    def __init__(
        self,
        strength: float,
        hidden: Sequence[int],
        domain: Domain,
        context: int,
        activation: type[nn.Module],
    ) -> None:
        blocks = len(hidden)
        limit = (blocks + 1) / (blocks - 1) if blocks > 1 else float("inf")
        if not 0 < strength < limit:
            raise ValueError(
                f"{type(self).__name__}: strength is {strength}, wanted a positive number below {limit:.4g}"
                f" for {blocks} blocks, such as {0.9 * min(limit, 2):.2g}"
            )
        averaged = blocks / (blocks + 1)
        self_scale = 1 + strength - strength * averaged
        super().__init__(strength * averaged / self_scale, domain, vector_domain(context))
        self.strength, self.kept, self.scale = strength, 1 - averaged, self_scale
        self.activations = nn.ModuleList(activation() for _ in hidden)
        self.biases = nn.ParameterList(torch.zeros(size) for size in hidden)
        self.context = embedding(context, hidden[0])

    @abc.abstractmethod
    def there_and_back(self) -> list[tuple[Map, Map]]:
        """For every block, the maps T and its transpose."""

    def prepare_phi(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The function Phi at this context, see :meth:`prepare`."""
        maps = self.there_and_back()
        embedded = None if self.context is None else self.context(as_context(context))  # (N, H)

        def run(x: Tensor) -> Tensor:
            for index, (there, back) in enumerate(maps):
                bias = self.biases[index]
                h = there(x) + bias.view(1, -1, *[1] * (x.dim() - 2))
                h = conditioned(h, embedded if index == 0 else None)
                x = back(self.activations[index](h))
            return x

        return run

    def prepare(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The contraction g."""
        phi = self.prepare_phi(context)
        factor, kept = self.strength / self.scale, self.kept
        return lambda x: factor * (phi(x) - kept * x)


class ProximalMLP(ProximalNetwork):
    r"""A proximal network for vectors, see :class:`ProximalNetwork`.

    Reference: Hertrich (2023), Proximal residual flows, https://arxiv.org/abs/2211.17158

    Args:
        features: number of inputs and outputs.
        hidden_features: width of each block; their number is that of the blocks.
        strength: gamma, positive and below (K + 1) / (K - 1); any for one block.
        context: size of the context vector, which may have any influence; 0 for none.
        activation: class of an activation with slopes between 0 and 1.

    Returns:
        The contraction ``(N, features)``.

    Raises:
        ValueError: the strength is out of range.

    Cost: two products with each weight, and 7 products of matrices.

    Example:
        >>> network = ProximalMLP(3, (8,), strength=6.0)
        >>> network(torch.zeros(5, 3)).shape, network.bound
        (torch.Size([5, 3]), 0.75)
    """

    def __init__(
        self,
        features: int,
        hidden_features: Sequence[int] = (64, 64),
        *,
        strength: float = 1.0,
        context: int = 0,
        activation: type[nn.Module] = nn.Softplus,
    ) -> None:
        super().__init__(strength, hidden_features, Reals(features), context, activation)
        self.weights = nn.ParameterList(
            torch.randn(size, features) / max(size, features) ** 0.5 for size in hidden_features
        )

    def there_and_back(self) -> list[tuple[Map, Map]]:
        """Products with a matrix and its transpose."""
        return [_matrix_pair(weight) for weight in self.weights]


def _matrix_pair(raw: Tensor) -> tuple[Map, Map]:
    weight = capped(raw, SpectralNorms().matrix(raw, 0, 1), 1.0)
    return lambda x: x @ weight.T, lambda h: h @ weight


class ProximalConvNet(ProximalNetwork):
    r"""A proximal network for signals and pictures of any size, see :class:`ProximalNetwork`.

    Reference: Hertrich (2023), Proximal residual flows, https://arxiv.org/abs/2211.17158

    Args:
        channels: number of channels of input and output.
        hidden_channels: hidden channels of each block; their number is that of the blocks.
        strength: gamma, positive and below (K + 1) / (K - 1); any for one block.
        kernel_size: odd size of the kernels.
        dims: number of dimensions of space, 1 to 3.
        context: size of the context vector, which may have any influence; 0 for none.
        activation: class of an activation with slopes between 0 and 1.

    Returns:
        The contraction ``(N, channels, ...)``.

    Raises:
        ValueError: the strength is out of range, the kernel even, or ``dims`` not 1, 2 or 3.

    Cost: two convolutions a block.

    Example:
        >>> ProximalConvNet(1, (4,), strength=2.0)(torch.zeros(1, 1, 4, 4)).shape
        torch.Size([1, 1, 4, 4])
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: Sequence[int] = (32, 32),
        *,
        strength: float = 1.0,
        kernel_size: int = 3,
        dims: int = 2,
        context: int = 0,
        activation: type[nn.Module] = nn.Softplus,
    ) -> None:
        if dims not in _CONVOLUTIONS or kernel_size % 2 == 0:
            raise ValueError(
                f"ProximalConvNet: got dims={dims} and kernel_size={kernel_size}, wanted 1, 2 or 3 dimensions"
                " and an odd kernel"
            )
        super().__init__(strength, hidden_channels, Reals(channels, *[None] * dims), context, activation)
        self.dims, self.padding = dims, kernel_size // 2
        taps = [kernel_size] * dims
        self.weights = nn.ParameterList(
            torch.randn(size, channels, *taps) / (size * kernel_size**dims) ** 0.5 for size in hidden_channels
        )

    def there_and_back(self) -> list[tuple[Map, Map]]:
        """Convolutions and their transposes."""
        return [self._pair(kernel) for kernel in self.weights]

    def _pair(self, raw: Tensor) -> tuple[Map, Map]:
        kernel = capped(raw, SpectralNorms().convolution(raw, 0, 1), 1.0)
        there, back = (cast(Any, table[self.dims]) for table in (_CONVOLUTIONS, _TRANSPOSED))
        return lambda x: there(x, kernel, padding=self.padding), lambda h: back(
            h, kernel, padding=self.padding
        )
