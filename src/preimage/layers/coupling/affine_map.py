"""Scale and shift for couplings, with a bounded scale."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.layers.coupling.element_map import ElementMap


class AffineMap(ElementMap):
    r"""Scale and shift, :math:`y = e^{s} x + t` with the bounded log-scale :math:`s = b \tanh(r / b)`.

    The bound keeps deep chains finite: without it a single large network output makes ``exp`` overflow.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, https://arxiv.org/abs/1605.08803; soft clamping
    as in Ardizzone et al. (2019), https://arxiv.org/abs/1907.02392

    Args:
        bound: largest absolute log-scale b; 1 allows factors between 0.37 and 2.72.

    Raises:
        ValueError: the bound is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> AffineMap().forward_elements(torch.ones(1), torch.tensor([[0.0, 0.5]]))
        (tensor([1.5000]), tensor([0.]))
    """

    def __init__(self, bound: float = 1.0) -> None:
        super().__init__(count=2)
        if bound <= 0:
            raise ValueError(f"AffineMap: bound is {bound}, wanted a positive number, such as 1.0")
        self.bound = bound

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply, then add."""
        log_scale, shift = self._unpack(raw)
        return x * log_scale.exp() + shift, log_scale

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Subtract, then divide."""
        log_scale, shift = self._unpack(raw)
        log_slope = -log_scale
        return (y - shift) * log_slope.exp(), log_slope

    def _unpack(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        raw_scale, shift = raw.unbind(-1)
        return self.bound * torch.tanh(raw_scale / self.bound), shift
