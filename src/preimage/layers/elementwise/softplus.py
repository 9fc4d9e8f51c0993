"""Softplus: a smooth map onto the positive numbers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from preimage.domains import Interval
from preimage.functional.scalar.hyperbolic import log_one_minus_exp
from preimage.layers.elementwise.elementwise import Elementwise


class Softplus(Elementwise):
    r"""Softplus, :math:`y = \log(1 + e^x)`, onto the positive numbers.

    The inverse is :math:`x = y + \log(1 - e^{-y})`, in two forms that keep all digits of small and large y.
    log_det is :math:`\sum \log \sigma(x)`.

    Reference: Dugas, Bengio, Bélisle, Nadeau, Garcia (2001), Incorporating second-order functional knowledge
    for better option pricing, https://papers.nips.cc/paper/1920

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value that is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Softplus().forward_and_log_det(torch.zeros(1, 1))
        (tensor([[0.6931]]), tensor([-0.6931]))
        >>> Softplus().inverse(torch.tensor([[1e-30]]))
        tensor([[-69.0776]])
    """

    codomain = Interval(0, float("inf"))

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Smooth positive part."""
        return -logsigmoid(-x), logsigmoid(x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of exp(y) - 1."""
        log_slope = log_one_minus_exp(y)
        return y + log_slope, -log_slope
