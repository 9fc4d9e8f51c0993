"""Multilayer perceptron with a context."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from preimage.nets.zero_last_layer import zero_last_layer


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
