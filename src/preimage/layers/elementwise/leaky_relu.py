"""Leaky rectifier with a fixed slope."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.layers.elementwise.elementwise import Elementwise


class LeakyReLU(Elementwise):
    r"""Leaky rectifier, :math:`y = x` for :math:`x \ge 0` and :math:`y = \alpha x` below.

    The inverse has slope :math:`1/\alpha` below zero. log_det is :math:`n_- \log \alpha` with :math:`n_-` the
    number of negative elements.

    Reference: Maas, Hannun, Ng (2013), Rectifier nonlinearities improve neural network acoustic models,
    https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf

    Args:
        slope: the slope below zero, positive.

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        ValueError: the slope is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> LeakyReLU(0.5).forward_and_log_det(torch.tensor([[-2.0, 3.0]]))
        (tensor([[-1.,  3.]]), tensor([-0.6931]))
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not 0 < slope < math.inf:
            raise ValueError(f"LeakyReLU: slope is {slope}, wanted a positive number, such as 0.01")
        self.slope = slope

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale the negative part."""
        y = torch.where(x < 0, x * self.slope, x)
        return y, (x < 0).to(x.dtype) * math.log(self.slope)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scale the negative part back."""
        x = torch.where(y < 0, y / self.slope, y)
        return x, (y < 0).to(y.dtype) * -math.log(self.slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"slope={self.slope}"
