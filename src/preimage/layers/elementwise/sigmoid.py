"""Logistic function, and its inverse."""

from __future__ import annotations

from torch import Tensor

from preimage.domains import Interval, Reals
from preimage.functional.scalar.hyperbolic import log_logistic_slope
from preimage.layers.elementwise.elementwise import Elementwise


class Sigmoid(Elementwise):
    r"""Logistic function, :math:`y = 1/(1 + e^{-x})`, onto the open interval (0, 1).

    The inverse is :math:`x = \log y - \log(1 - y)`, right to the last digits down to the smallest y.
    Towards 1 floating-point numbers are sparse: from x = 16.7 (float32) and 36.8 (float64) on, y is exactly
    1, which the inverse refuses. log_det is :math:`\sum \log \sigma(x) + \log \sigma(-x)`.

    Reference: Verhulst (1838), https://en.wikipedia.org/wiki/Logistic_function

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value outside (0, 1).

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Sigmoid().forward_and_log_det(torch.zeros(1, 2))
        (tensor([[0.5000, 0.5000]]), tensor([-2.7726]))
        >>> Sigmoid().inverse(torch.tensor([[1e-20]]))
        tensor([[-46.0517]])
    """

    codomain = Interval(0, 1)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logistic function."""
        return x.sigmoid(), log_logistic_slope(x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds."""
        log_yes, log_no = y.log(), (-y).log1p()
        return log_yes - log_no, -(log_yes + log_no)


class Logit(Elementwise):
    r"""Log-odds, :math:`y = \log x - \log(1 - x)`, from the open interval (0, 1) onto all real numbers.

    The map for data between 0 and 1, such as pixels, before a flow. log_det is
    :math:`-\sum \log x + \log(1 - x)`.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 4.1, https://arxiv.org/abs/1605.08803

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``forward`` gets a value outside (0, 1).

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Logit()(torch.tensor([[0.5, 0.25]]))
        tensor([[ 0.0000, -1.0986]])
    """

    domain = Interval(0, 1)
    codomain = Reals()

    def __init__(self) -> None:
        super().__init__()
        self.sigmoid = Sigmoid()

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds."""
        return self.sigmoid.inverse_elements(x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logistic function."""
        return self.sigmoid.forward_elements(y)
