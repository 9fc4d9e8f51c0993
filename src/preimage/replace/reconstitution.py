"""A layer that puts learnt noise back where a forward pass smoothed the signal."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from preimage.replace.pool import PoolReplacement


@final
class NoiseReconstitution(nn.Module):
    """The inverse of a pool with the variation of the data put back: :meth:`PoolReplacement.sample`.

    Off until it is asked for: in evaluation mode the layer gives the deterministic estimate, unless
    ``in_evaluation`` is set. In training mode it draws, so that layers after it learn from realistic values.

    Reference: Gray, Stockham (1993), Dithered quantizers, https://doi.org/10.1109/18.256489

    Args:
        pool: a fitted replacement; its statistics are shared.
        in_evaluation: whether it draws in evaluation mode too.

    Cost: O(C P) a window.

    Example:
        >>> from preimage.replace import AveragePoolReplacement
        >>> pool = AveragePoolReplacement(2, (3, 3))
        >>> pool.fit([torch.randn(20, 2, 3, 3)])
        >>> layer = NoiseReconstitution(pool).eval()
        >>> y = torch.randn(4, 2, 1, 1)
        >>> torch.equal(layer(y), pool.inverse(y)), torch.equal(layer.train()(y), pool.inverse(y))
        (True, False)
    """

    def __init__(self, pool: PoolReplacement, in_evaluation: bool = False) -> None:
        super().__init__()
        self.pool, self.in_evaluation = pool, in_evaluation

    def forward(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The map ``(N, C, *sizes)`` for pooled values ``(N, C, *blocks)``."""
        if self.training or self.in_evaluation:
            return self.pool.sample(y, generator)
        return self.pool.inverse(y)
