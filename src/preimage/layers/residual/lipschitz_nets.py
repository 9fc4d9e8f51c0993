"""Multilayer and convolutional networks with a Lipschitz constant of choice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from preimage.checks import Context
from preimage.domains import Domain, Reals
from preimage.layers.residual.bounded_layer import BoundedConvolution, BoundedLayer, BoundedLinear
from preimage.layers.residual.lip_swish import LipSwish
from preimage.layers.residual.lipschitz_network import (
    LipschitzNetwork,
    as_context,
    conditioned,
    embedding,
    vector_domain,
)
from preimage.layers.residual.operator_norms import OperatorNorms, SpectralNorms


def growth_of(activation: type[nn.Module]) -> int:
    """How many channels an activation makes of one."""
    return getattr(activation, "grows", 1)


class _Feedforward(LipschitzNetwork):
    """Bounded layers with activations between them; every layer gets the same share of the bound."""

    def __init__(
        self,
        layers: Sequence[BoundedLayer],
        activation: type[nn.Module],
        bound: float,
        norms: OperatorNorms | None,
        domain: Domain,
        embed: nn.Linear | None,
    ) -> None:
        super().__init__(bound, domain, vector_domain(embed.in_features if embed is not None else 0))
        self.layers = nn.ModuleList(layers)
        self.activations = nn.ModuleList(activation() for _ in layers[1:])
        self.norms = SpectralNorms() if norms is None else norms
        self.context = embed

    def prepare(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The layers with their norms capped, as one function."""
        count = len(self.layers)
        share = self.bound ** (1 / count)
        maps = [
            layer.bounded(self.norms, index, count, share)  # pyright: ignore[reportCallIssue]
            for index, layer in enumerate(self.layers)
        ]
        embedded = None if self.context is None else self.context(as_context(context))  # (N, H)

        def run(x: Tensor) -> Tensor:
            h = conditioned(maps[0](x), embedded)
            for activation, following in zip(self.activations, maps[1:], strict=True):
                h = following(activation(h))
            return h

        return run


class LipschitzMLP(_Feedforward):
    r"""Multilayer network for vectors with Lipschitz constant c,
    :math:`g(x) = W_L\,\phi(\cdots \phi(W_1 x + b_1 + C\,\text{context}) \cdots) + b_L`.

    Every weight is scaled down to norm :math:`c^{1/L}` where it is larger, at every use.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows, https://arxiv.org/abs/1906.02735

    Args:
        features: number of inputs and outputs.
        hidden_features: width of each hidden layer.
        bound: the constant c; below 1 for a contraction.
        context: size of the context vector, which may have any influence; 0 for none.
        activation: class of an activation with slopes between -1 and 1.
        norms: how layers are measured, :class:`~preimage.layers.SpectralNorms` by default.

    Returns:
        Tensor ``(N, features)``.

    Raises:
        ValueError: the bound is not positive.

    Cost: O(N * weights), and 7 products of matrices for each weight.

    Example:
        >>> import torch
        >>> LipschitzMLP(3, (16,), context=2)(torch.zeros(5, 3), torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        features: int,
        hidden_features: Sequence[int] = (64, 64),
        *,
        bound: float = 0.97,
        context: int = 0,
        activation: type[nn.Module] = LipSwish,
        norms: OperatorNorms | None = None,
    ) -> None:
        grows, sizes = growth_of(activation), [*hidden_features, features]
        layers = [BoundedLinear(features, sizes[0])]
        layers += [BoundedLinear(grows * size, following) for size, following in itertools.pairwise(sizes)]
        super().__init__(layers, activation, bound, norms, Reals(features), embedding(context, sizes[0]))


class LipschitzConvNet(_Feedforward):
    r"""Convolutional network for signals and pictures of any size, with Lipschitz constant c.

    Wide kernels at both ends and kernels of size 1 between them. The norm of a convolution is bounded on
    pictures of every size, with zeros beyond the border.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows, https://arxiv.org/abs/1906.02735

    Args:
        channels: number of channels of input and output.
        hidden_channels: channels of the hidden layers.
        bound: the constant c; below 1 for a contraction.
        kernel_size: odd size of the first and last kernel.
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``.
        context: size of the context vector, which may have any influence; 0 for none.
        activation: class of an activation with slopes between -1 and 1.
        norms: how layers are measured, :class:`~preimage.layers.SpectralNorms` by default.

    Returns:
        Tensor ``(N, channels, ...)``.

    Raises:
        ValueError: the bound is not positive, the kernel even, or ``dims`` not 1, 2 or 3.

    Cost: that of the convolutions, and 5 products of matrices for each of some 130 frequencies in two
    dimensions, for each of the wide kernels.

    Example:
        >>> import torch
        >>> LipschitzConvNet(3, (8,))(torch.zeros(1, 3, 6, 6)).shape
        torch.Size([1, 3, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: Sequence[int] = (64, 64),
        *,
        bound: float = 0.97,
        kernel_size: int = 3,
        dims: int = 2,
        context: int = 0,
        activation: type[nn.Module] = LipSwish,
        norms: OperatorNorms | None = None,
    ) -> None:
        grows, sizes = growth_of(activation), [*hidden_channels, channels]
        kernels = [1] * (len(sizes) - 2) + [kernel_size]
        layers = [BoundedConvolution(channels, sizes[0], kernel_size, dims)]
        for (size, following), kernel in zip(itertools.pairwise(sizes), kernels, strict=True):
            layers.append(BoundedConvolution(grows * size, following, kernel, dims))
        domain = Reals(channels, *[None] * dims)
        super().__init__(layers, activation, bound, norms, domain, embedding(context, sizes[0]))
