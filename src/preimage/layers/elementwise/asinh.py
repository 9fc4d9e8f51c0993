"""Inverse hyperbolic sine and hyperbolic sine."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.scalar.hyperbolic import log_cosh
from preimage.layers.elementwise.elementwise import Elementwise


class Asinh(Elementwise):
    r"""Inverse hyperbolic sine, :math:`y = \log(x + \sqrt{1 + x^2})`: linear around 0, logarithmic far out.

    A compression that maps all real numbers onto all real numbers. log_det is
    :math:`-\frac12 \sum \log(1 + x^2)`. The inverse, sinh, overflows to infinity beyond \|y\| = 89.4
    (float32) and 710.5 (float64).

    Reference: Burbidge, Magee, Robb (1988), https://doi.org/10.1080/01621459.1988.10478575

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Asinh()(torch.tensor([[0.0, 1e20]]))
        tensor([[ 0.0000, 46.7448]])
    """

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Inverse hyperbolic sine."""
        return x.asinh(), -torch.hypot(x, torch.ones_like(x)).log()

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Hyperbolic sine."""
        return y.sinh(), log_cosh(y)


class Sinh(Elementwise):
    r"""Hyperbolic sine, :math:`y = (e^x - e^{-x})/2`: an expansion, the inverse of :class:`Asinh`.

    log_det is :math:`\sum \log \cosh x`. Overflows to infinity beyond \|x\| = 89.4 (float32) and 710.5
    (float64).

    Reference: Jones, Pewsey (2009), Sinh-arcsinh distributions, https://doi.org/10.1093/biomet/asp053

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Sinh().forward_and_log_det(torch.ones(1, 1))
        (tensor([[1.1752]]), tensor([0.4338]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.asinh = Asinh()

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Hyperbolic sine."""
        return self.asinh.inverse_elements(x)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Inverse hyperbolic sine."""
        return self.asinh.forward_elements(y)
