"""A tanh that grows without bound."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.roots import newton_root
from preimage.functional.scalar.hyperbolic import sign_and_size
from preimage.layers.elementwise.elementwise import Elementwise


class SignedTanh(Elementwise):
    r"""Absolute value times tanh, :math:`y = |x| \tanh x`: quadratic around 0, linear far out.

    Odd and strictly increasing on the whole line. The inverse has no closed form; Newton's method on y alone
    from a start within 10 % gives it to a few rounding errors from 1e-8 to 300 and beyond, and 0 for 0.
    log_det is :math:`\sum \log(\tanh|x| + |x| \operatorname{sech}^2 x)`.

    The slope is zero at x = 0: there the log_det is minus infinity (plus infinity for the inverse, which
    behaves like the root of y), and the map is continuous both ways but not differentiable back.

    Reference: Norskog (2022), keras-invertible, https://github.com/LanceNorskog/keras-invertible

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Cost: O(numel(x)) forward, eight times that in the inverse.

    Example:
        >>> import torch
        >>> layer = SignedTanh()
        >>> layer(torch.tensor([[-1.0, 0.0, 20.0]]))
        tensor([[-0.7616,  0.0000, 20.0000]])
        >>> layer.inverse(torch.tensor([[-0.7616, 0.0, 20.0]]))
        tensor([[-1.0000,  0.0000, 20.0000]])
    """

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Product with tanh."""
        sign, size = sign_and_size(x)
        y, slope = _product(size)
        return sign * y, slope.log()

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Newton's method on the absolute value."""
        sign, size = sign_and_size(y)
        start = torch.where(size < 1, size.sqrt() * (1 + size / 6), size)
        x = newton_root(_product, size, start)
        return sign * x, -_product(x)[1].log()


def _product(x: Tensor) -> tuple[Tensor, Tensor]:
    """x tanh x and its slope, for x >= 0."""
    tanh = x.tanh()
    return x * tanh, tanh + x * (1 - tanh) * (1 + tanh)
