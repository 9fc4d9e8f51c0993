"""Shift for couplings."""

from __future__ import annotations

from torch import Tensor

from preimage.layers.coupling.element_map import ElementMap


class AdditiveMap(ElementMap):
    """Shift, y = x + t; log-slope exactly 0.

    Reference: Dinh, Krueger, Bengio (2015), NICE, https://arxiv.org/abs/1410.8516

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> AdditiveMap().forward_elements(torch.ones(1), torch.tensor([[0.5]]))
        (tensor([1.5000]), tensor([0.]))
    """

    def __init__(self) -> None:
        super().__init__(count=1)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Add."""
        return x + raw.squeeze(-1), x.new_zeros(()).expand_as(x)

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Subtract."""
        return y - raw.squeeze(-1), y.new_zeros(()).expand_as(y)
