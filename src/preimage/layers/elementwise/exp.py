"""Exponential and logarithm."""

from __future__ import annotations

from torch import Tensor

from preimage.domains import Interval, Reals
from preimage.layers.elementwise.elementwise import Elementwise

POSITIVE = Interval(0, float("inf"))


class Exp(Elementwise):
    r"""Exponential, :math:`y = e^x`, onto the positive numbers; log_det is :math:`\sum x`.

    Underflows to 0, which the inverse refuses, below x = -103 (float32) and -745 (float64); overflows to
    infinity above 88.7 and 709.7.

    Reference: as a change of variables, Rezende, Mohamed (2015), https://arxiv.org/abs/1505.05770

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value that is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Exp().forward_and_log_det(torch.tensor([[0.0, 1.0]]))
        (tensor([[1.0000, 2.7183]]), tensor([1.]))
    """

    codomain = POSITIVE

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Exponential."""
        return x.exp(), x

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Natural logarithm."""
        x = y.log()
        return x, -x


class Log(Elementwise):
    r"""Natural logarithm, :math:`y = \log x`, of positive numbers; log_det is :math:`-\sum \log x`.

    Reference: Box, Cox (1964), An analysis of transformations, https://doi.org/10.1111/j.2517-6161.1964.tb00553.x

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``forward`` gets a value that is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Log()(torch.tensor([[1.0, 100.0]]))
        tensor([[0.0000, 4.6052]])
    """

    domain = POSITIVE
    codomain = Reals()

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Natural logarithm."""
        y = x.log()
        return y, -y

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Exponential."""
        return y.exp(), y
