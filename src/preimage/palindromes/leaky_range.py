"""A bijection of the line that is the identity on the range of the data and steep outside."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.layers.elementwise.elementwise import Elementwise


@final
class LeakyRange(Elementwise):
    r"""Identity on [low, high] and slope 1/e outside: :math:`y = h + (x - h)/e` above, :math:`l + (x - l)/e` below.

    As the first layer of a palindrome it does nothing to data, which lie inside. Its mirror image, the last
    layer, presses what lies outside the range to the bounds, up to the small slope e: almost a clamp, and yet
    a bijection, so that encode(decode(c)) = c still holds. log_det is :math:`-\log e` for every element
    outside.

    Reference: Maas, Hannun, Ng (2013), Rectifier nonlinearities improve neural network acoustic models,
    https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf

    Args:
        low, high: the range, low < high.
        slope: e, in (0, 1]; of the inverse outside the range.

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        ValueError: the range is empty or the slope outside (0, 1].

    Cost: O(numel(x)).

    Example:
        >>> layer = LeakyRange(0.0, 1.0, slope=0.1)
        >>> layer.inverse(torch.tensor([[-1.0, 0.5, 2.0]]))
        tensor([[-0.1000,  0.5000,  1.1000]])
    """  # noqa: E501

    def __init__(self, low: float = 0.0, high: float = 1.0, slope: float = 0.02) -> None:
        super().__init__()
        if not (math.isfinite(low) and math.isfinite(high) and low < high and 0 < slope <= 1):
            raise ValueError(
                f"LeakyRange: low, high, slope are {low}, {high}, {slope}; wanted low < high and a slope"
                " in (0, 1], such as 0.02"
            )
        self.low, self.high, self.slope = low, high, slope

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Steep outside."""
        return self._bent(x, 1 / self.slope)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Flat outside."""
        return self._bent(y, self.slope)

    def _bent(self, x: Tensor, slope: float) -> tuple[Tensor, Tensor]:
        inside = x.clamp(self.low, self.high)
        outside = (x < self.low) | (x > self.high)
        return torch.where(outside, inside + slope * (x - inside), x), outside.to(x.dtype) * math.log(slope)

    def extra_repr(self) -> str:
        """The settings."""
        return f"low={self.low}, high={self.high}, slope={self.slope}"
