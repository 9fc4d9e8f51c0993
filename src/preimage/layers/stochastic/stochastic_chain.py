"""Chains of bijections and random steps."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.layers.stochastic.stochastic import Stochastic
from preimage.layers.surjection.surjection import Surjection

Layer = Bijection | Stochastic | Surjection


class StochasticChain(nn.Module):
    r"""Bijections, surjections and random steps one after the other; log_dets and log-weights are added.

    A stochastic normalizing flow: bijections carry the mass, random steps repair its shape.

    Reference: Wu, Köhler, Noé (2020), Stochastic normalizing flows, https://arxiv.org/abs/2002.06707

    Args:
        layers: maps in the order in which ``forward`` runs them, data -> latent; one or more.

    Returns:
        The latent or the data, and the sum of log_dets and log-weights ``(N,)``.

    Raises:
        ValueError: no layers.
        TypeError: something is none of the three.

    Cost: that of the layers.

    Example:
        >>> from preimage.layers import Affine, RandomWalk
        >>> target = lambda x: -0.5 * x.square().sum(1)
        >>> chain = StochasticChain(RandomWalk(target, steps=3), Affine(2))
        >>> x, log_weight = chain.inverse_and_log_weight(torch.randn(4, 2))
        >>> x.shape, log_weight.shape
        (torch.Size([4, 2]), torch.Size([4]))
    """

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        if not layers:
            raise ValueError("StochasticChain: got no layers, wanted one or more")
        for layer in layers:
            if not isinstance(layer, Layer):
                name = type(layer).__name__
                raise TypeError(
                    f"StochasticChain: got {name}, wanted bijections, surjections and random steps"
                )
        self.layers = nn.ModuleList(layers)

    def forward_and_log_weight(self, x: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """Every layer in order, data -> latent.

        Args:
            x: data ``(N, *event)``.
            generator: source of randomness; the global one by default.
        """
        weights = []
        for layer in self.layers:
            if isinstance(layer, Bijection):
                x, weight = layer.forward_and_log_det(x)
            else:
                x, weight = cast("Stochastic | Surjection", layer).forward_and_log_weight(x, generator)
            weights.append(weight)
        return x, torch.stack(weights).sum(0)

    def inverse_and_log_weight(self, y: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """Every layer backwards, in reverse order, latent -> data; otherwise as the other direction."""
        weights = []
        for layer in reversed(self.layers):
            if isinstance(layer, Bijection):
                y, weight = layer.inverse_and_log_det(y)
            else:
                y, weight = cast("Stochastic | Surjection", layer).inverse_and_log_weight(y, generator)
            weights.append(weight)
        return y, torch.stack(weights).sum(0)

    def forward(self, x: Any, generator: torch.Generator | None = None) -> Any:
        """The latent alone."""
        return self.forward_and_log_weight(x, generator)[0]

    def inverse(self, y: Any, generator: torch.Generator | None = None) -> Any:
        """The data alone."""
        return self.inverse_and_log_weight(y, generator)[0]
