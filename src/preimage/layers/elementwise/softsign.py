"""Softsign: a squashing function with fat tails."""

from __future__ import annotations

from torch import Tensor

from preimage.domains import Interval
from preimage.layers.elementwise.elementwise import Elementwise


class Softsign(Elementwise):
    r"""Softsign, :math:`y = x / (1 + |x|)`, onto the open interval (-1, 1).

    The inverse is :math:`x = y / (1 - |y|)`. It saturates like 1/x instead of exponentially, so that inputs
    up to 1e7 (float32) still have an inverse. log_det is :math:`-2 \sum \log(1 + |x|)`.

    Reference: Bergstra, Desjardins, Lamblin, Bengio (2009), Quadratic polynomials learn better image
    features, http://www.iro.umontreal.ca/~lisa/publications2/index.php/publications/show/205

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value outside (-1, 1).

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Softsign().forward_and_log_det(torch.tensor([[-1.0, 3.0]]))
        (tensor([[-0.5000,  0.7500]]), tensor([-4.1589]))
    """

    codomain = Interval(-1, 1)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Squash."""
        return x / (1 + x.abs()), -2 * x.abs().log1p()

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Stretch."""
        return y / (1 - y.abs()), -2 * (-y.abs()).log1p()
