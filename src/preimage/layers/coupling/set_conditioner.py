"""Conditioners of sets: networks whose outputs are permuted as their inputs are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.nets import zero_last_layer


class DeepSet(nn.Module):
    r"""Equivariant network of sets, :math:`h_i' = \phi(A h_i + B \bar h + C c)` with the mean :math:`\bar h`.

    Every layer sees each element and the mean of all of them, so that reordering the elements reorders the
    outputs. Sets may have any size.

    Reference: Zaheer et al. (2017), Deep sets, https://arxiv.org/abs/1703.06114

    Args:
        features: number of features of an element.
        outputs: number of outputs of an element.
        hidden_features: sizes of the hidden layers.
        context: size of the context c, which enters every layer; 0 for none.
        activation: class of the activation between layers.

    Returns:
        Tensor ``(N, outputs, S)`` for a set ``(N, features, S)``; zeros before training.

    Cost: O(N S) times the products of neighbouring sizes.

    Example:
        >>> DeepSet(2, 6)(torch.randn(5, 2, 9)).shape
        torch.Size([5, 6, 9])
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
        pairs = list(itertools.pairwise([features, *hidden_features, outputs]))
        self.own = nn.ModuleList(nn.Linear(size, following) for size, following in pairs)
        self.mean = nn.ModuleList(nn.Linear(size + context, following) for size, following in pairs)
        self.activation = activation()
        zero_last_layer(self.own)
        zero_last_layer(self.mean)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """All layers, with the mean in each."""
        hidden = x.mT  # (N, S, features)
        for number, (own, mean) in enumerate(zip(self.own, self.mean, strict=True)):
            hidden = hidden if number == 0 else self.activation(hidden)
            average = hidden.mean(1)  # (N, size)
            joined = average if context is None else torch.cat([average, context], dim=1)
            hidden = own(hidden) + mean(joined)[:, None]
        return hidden.mT


class SetTransformer(nn.Module):
    r"""Equivariant network of sets by self-attention without positions.

    Blocks of :math:`h + \operatorname{attention}(h)` and :math:`h + \operatorname{MLP}(h)` over the elements
    of a set, each after a layer norm. Sees how elements relate in pairs, which a :class:`DeepSet` cannot.

    Reference: Lee et al. (2019), Set transformer, https://arxiv.org/abs/1810.00825

    Args:
        features: number of features of an element.
        outputs: number of outputs of an element.
        hidden_features: width, a multiple of ``heads``.
        blocks: number of blocks.
        heads: number of heads of each attention.
        context: size of the context, which is added to every element; 0 for none.

    Returns:
        Tensor ``(N, outputs, S)`` for a set ``(N, features, S)``; zeros before training.

    Raises:
        ValueError: the width is not a multiple of the heads.

    Cost: O(N S^2 hidden_features + N S hidden_features^2) a block.

    Example:
        >>> SetTransformer(2, 6, hidden_features=8, heads=2)(torch.randn(5, 2, 9)).shape
        torch.Size([5, 6, 9])
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        hidden_features: int = 64,
        blocks: int = 2,
        heads: int = 4,
        *,
        context: int = 0,
    ) -> None:
        super().__init__()
        if hidden_features % heads:
            raise ValueError(f"SetTransformer: {hidden_features} features do not divide into {heads} heads")
        self.first = nn.Linear(features, hidden_features)
        self.context = nn.Linear(context, hidden_features, bias=False) if context else None
        self.blocks = nn.ModuleList(_Block(hidden_features, heads) for _ in range(blocks))
        self.last = zero_last_layer(nn.Linear(hidden_features, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """All blocks over the elements."""
        hidden = self.first(x.mT)  # (N, S, hidden)
        if self.context is not None:
            hidden = hidden + self.context(context)[:, None]
        for block in self.blocks:
            hidden = block(hidden)
        return self.last(hidden).mT


class _Block(nn.Module):
    """Attention and a perceptron, each added to its input."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in range(2))
        self.query_key_value = nn.Linear(features, 3 * features)
        self.join = nn.Linear(features, features)
        self.perceptron = nn.Sequential(
            nn.Linear(features, 2 * features), nn.SiLU(), nn.Linear(2 * features, features)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self._attend(self.norms[0](hidden))
        return hidden + self.perceptron(self.norms[1](hidden))

    def _attend(self, hidden: Tensor) -> Tensor:
        parts = self.query_key_value(hidden).unflatten(-1, (3, self.heads, -1))  # (N, S, 3, heads, d)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (N, heads, S, d)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        return self.join((functional.softmax(scores, dim=-1) @ value).transpose(1, 2).flatten(2))
