"""Chains in which channels are added or dropped."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.layers.surjection.surjection import Likelihood, Surjection


class SurjectiveChain(Surjection):
    """Bijections and surjections one after the other; log_dets and log-weights are added.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, https://arxiv.org/abs/2007.02731

    Args:
        layers: maps in the order in which ``forward`` runs them, one or more.

    Returns:
        The latent, and the sum ``(N,)``.

    Raises:
        ValueError: no layers.
        TypeError: something is neither a bijection nor a surjection.

    Cost: that of the layers.

    Example:
        >>> import torch
        >>> from preimage.layers import Affine, AugmentNoise, GaussianNoise
        >>> chain = SurjectiveChain(AugmentNoise(2, GaussianNoise(1)), Affine(3))
        >>> chain.inverse(chain(torch.ones(1, 2)))
        tensor([[1., 1.]], grad_fn=<SplitWithSizesBackward0>)
    """

    def __init__(self, *layers: Bijection | Surjection) -> None:
        super().__init__()
        if not layers:
            raise ValueError("SurjectiveChain: got no layers, wanted one or more")
        for layer in layers:
            if not isinstance(layer, Bijection | Surjection):
                raise TypeError(
                    f"SurjectiveChain: got {type(layer).__name__}, wanted bijections and surjections"
                )
        self.layers = nn.ModuleList(layers)

    @property
    def likelihood(self) -> Likelihood:
        """Exact where every surjection in it is."""
        kinds = [layer.likelihood for layer in self.layers if isinstance(layer, Surjection)]
        return "bound" if "bound" in kinds else "exact"

    @property
    def inv(self) -> SurjectiveChain:
        """The chain of the swapped layers in the opposite order; parameters are shared."""
        return SurjectiveChain(*[layer.inv for layer in reversed(self._maps())])

    def _maps(self) -> list[Bijection | Surjection]:
        return [cast(Bijection | Surjection, layer) for layer in self.layers]

    def forward_and_log_weight(self, x: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """Every layer in order."""
        weights = []
        for layer in self.layers:
            if isinstance(layer, Surjection):
                x, weight = layer.forward_and_log_weight(x, generator)
            else:
                x, weight = cast(Bijection, layer).forward_and_log_det(x)
            weights.append(weight)
        return x, torch.stack(weights).sum(0)

    def inverse_and_log_weight(self, y: Any, generator: torch.Generator | None = None) -> tuple[Any, Tensor]:
        """Every layer backwards, in reverse order."""
        weights = []
        for layer in reversed(self.layers):
            if isinstance(layer, Surjection):
                y, weight = layer.inverse_and_log_weight(y, generator)
            else:
                y, weight = cast(Bijection, layer).inverse_and_log_det(y)
            weights.append(weight)
        return y, torch.stack(weights).sum(0)
