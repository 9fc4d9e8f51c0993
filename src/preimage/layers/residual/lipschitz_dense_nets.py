"""Densely connected networks with a Lipschitz constant of choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.domains import Domain, Reals
from preimage.layers.residual.bounded_layer import (
    BoundedConvolution,
    BoundedLayer,
    BoundedLinear,
    DenseWeights,
)
from preimage.layers.residual.lip_swish import ConcatenatedLipSwish
from preimage.layers.residual.lipschitz_nets import growth_of
from preimage.layers.residual.lipschitz_network import (
    LipschitzNetwork,
    as_context,
    conditioned,
    embedding,
    vector_domain,
)
from preimage.layers.residual.operator_norms import SpectralNorms

_MakeLayer = Callable[[int, int], BoundedLayer]


class _DenseNet(LipschitzNetwork):
    """Blocks that put new channels beside the old ones, then one layer that goes back to the first size."""

    def __init__(
        self,
        sizes: Sequence[int],
        make_layer: _MakeLayer,
        make_last: _MakeLayer,
        activation: type[nn.Module],
        bound: float,
        domain: Domain,
        embed: nn.Linear | None,
    ) -> None:
        super().__init__(bound, domain, vector_domain(embed.in_features if embed is not None else 0))
        grows, width, layers = growth_of(activation), sizes[0], []
        for growth in sizes[1:]:
            layers.append(make_layer(width, growth))
            width += grows * growth
        self.layers = nn.ModuleList([*layers, make_last(width, sizes[0])])
        self.activations = nn.ModuleList(activation() for _ in layers)
        self.shares = nn.ModuleList(DenseWeights() for _ in layers)
        self.norms, self.context = SpectralNorms(), embed

    def prepare(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The layers with their norms capped, as one function."""
        count = len(self.layers)
        bounds = [1.0] * (count - 1) + [self.bound]
        maps = [
            layer.bounded(self.norms, index, count, bound)  # pyright: ignore[reportCallIssue]
            for index, (layer, bound) in enumerate(zip(self.layers, bounds, strict=True))
        ]
        shares = [share() for share in self.shares]
        embedded = None if self.context is None else self.context(as_context(context))  # (N, H)

        def run(x: Tensor) -> Tensor:
            for index, (old, new) in enumerate(shares):
                h = conditioned(maps[index](x), embedded if index == 0 else None)
                x = torch.cat([old * x, new * self.activations[index](h)], dim=1)
            return maps[-1](x)

        return run


class LipschitzDenseMLP(_DenseNet):
    r"""Densely connected network for vectors with Lipschitz constant c,
    :math:`h_{k+1} = [a_k h_k,\; b_k\,\phi(W_k h_k)]`, :math:`a_k^2 + b_k^2 = 1` learnt.

    No block stretches anything; the last layer has the norm c at most. In the Euclidean norm.

    Reference: Perugachi-Diaz, Tomczak, Bhulai (2021), Invertible DenseNets with concatenated LipSwish,
    https://arxiv.org/abs/2102.02694

    Args:
        features: number of inputs and outputs.
        growth: how many outputs each block has before the activation.
        bound: the constant c; below 1 for a contraction.
        context: size of the context vector, which enters the first block; 0 for none.
        activation: class of an activation that stretches nothing.

    Returns:
        Tensor ``(N, features)``.

    Raises:
        ValueError: the bound is not positive.

    Cost: O(N * weights), and 7 products of matrices for each weight.

    Example:
        >>> LipschitzDenseMLP(3, (8, 8))(torch.zeros(5, 3)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        features: int,
        growth: Sequence[int] = (32, 32, 32),
        *,
        bound: float = 0.97,
        context: int = 0,
        activation: type[nn.Module] = ConcatenatedLipSwish,
    ) -> None:
        sizes = [features, *growth]
        embed = embedding(context, growth[0])
        super().__init__(sizes, BoundedLinear, BoundedLinear, activation, bound, Reals(features), embed)


class LipschitzDenseConvNet(_DenseNet):
    r"""Densely connected convolutional network for signals and pictures of any size, Lipschitz constant c.

    Wide kernels in the blocks, kernels of size 1 in the last layer.

    Reference: Perugachi-Diaz, Tomczak, Bhulai (2021), Invertible DenseNets with concatenated LipSwish,
    https://arxiv.org/abs/2102.02694

    Args:
        channels: number of channels of input and output.
        growth: how many channels each block adds, before the activation.
        bound: the constant c; below 1 for a contraction.
        kernel_size: odd size of the kernels in the blocks.
        dims: number of dimensions of space, 1 to 3.
        context: size of the context vector, which enters the first block; 0 for none.
        activation: class of an activation that stretches nothing.

    Returns:
        Tensor ``(N, channels, ...)``.

    Raises:
        ValueError: the bound is not positive, the kernel even, or ``dims`` not 1, 2 or 3.

    Cost: as for :class:`~preimage.layers.LipschitzConvNet`.

    Example:
        >>> LipschitzDenseConvNet(2, (4, 4))(torch.zeros(1, 2, 5, 5)).shape
        torch.Size([1, 2, 5, 5])
    """

    def __init__(
        self,
        channels: int,
        growth: Sequence[int] = (32, 32, 32),
        *,
        bound: float = 0.97,
        kernel_size: int = 3,
        dims: int = 2,
        context: int = 0,
        activation: type[nn.Module] = ConcatenatedLipSwish,
    ) -> None:
        wide = lambda inputs, outputs: BoundedConvolution(inputs, outputs, kernel_size, dims)  # noqa: E731
        last = lambda inputs, outputs: BoundedConvolution(inputs, outputs, 1, dims)  # noqa: E731
        domain, embed = Reals(channels, *[None] * dims), embedding(context, growth[0])
        super().__init__([channels, *growth], wide, last, activation, bound, domain, embed)
