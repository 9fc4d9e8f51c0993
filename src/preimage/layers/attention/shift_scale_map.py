"""Shift and scale for couplings, in this order, with any way to make a scale positive."""

from __future__ import annotations

from torch import Tensor

from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.elementwise.positive_scale import PositiveScale, TwiceSigmoidScale


class ShiftScaleMap(ElementMap):
    r"""Shift, then scale, :math:`y = s(r)\,(x + t)`.

    Reference: Kolesnikov, Pinto, Tschannen (2024), Jet, https://arxiv.org/abs/2412.15129, with
    :math:`s = 2 \sigma(r)`

    Args:
        scale: how s depends on r; by default :class:`~preimage.layers.TwiceSigmoidScale`, between 0.01 and
            1.99.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> ShiftScaleMap().forward_elements(torch.ones(1), torch.tensor([[0.0, 0.5]]))[0]
        tensor([1.5000])
    """

    def __init__(self, scale: PositiveScale | None = None) -> None:
        super().__init__(count=2)
        self.scale = TwiceSigmoidScale() if scale is None else scale

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Add, then multiply."""
        raw_scale, shift = raw.unbind(-1)
        log_scale = self.scale.log_scale(raw_scale)
        return (x + shift) * log_scale.exp(), log_scale

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Divide, then subtract."""
        raw_scale, shift = raw.unbind(-1)
        log_scale = self.scale.log_scale(raw_scale)
        return y * (-log_scale).exp() - shift, -log_scale
