"""An odd product with sine, where it is monotone."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.domains import Interval
from preimage.functional.roots import newton_root
from preimage.functional.scalar.hyperbolic import sign_and_size
from preimage.layers.elementwise.elementwise import Elementwise

TURN = 2.0287578381104342
"""The root of tan x = -x, where x sin x stops rising."""
HIGHEST = 1.8197057411596530
"""Its value there."""
_CURVATURE = 2.7039469270696498


class SignedSine(Elementwise):
    r"""Product with sine, :math:`y = x \sin|x|`, for \|x\| up to 2.0287578, onto \|y\| up to 1.8197057.

    That is the range on which this odd function rises; its ends are the roots of :math:`\tan x = -x`. (The
    product :math:`|x| \sin|x|` is even: it has no inverse on any interval around zero.) The inverse is by
    Newton's method on y alone. log_det is :math:`\sum \log(\sin|x| + |x| \cos x)`.

    The slope is zero at x = 0 and at both ends: there the log_det is infinite, and close by the inverse keeps
    half of the digits only. Values outside are refused, never folded back.

    Reference: Norskog (2022), keras-invertible, https://github.com/LanceNorskog/keras-invertible

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: a value outside of the two closed intervals.

    Cost: O(numel(x)) forward, eight times that in the inverse.

    Example:
        >>> import torch
        >>> layer = SignedSine()
        >>> layer(torch.tensor([[-1.0, 1.0, 2.0]]))
        tensor([[-0.8415,  0.8415,  1.8186]])
        >>> layer.inverse(torch.tensor([[-0.8415, 0.8415]]))
        tensor([[-1.0000,  1.0000]])
    """

    domain = Interval(-TURN, TURN, closed=True)
    codomain = Interval(-HIGHEST, HIGHEST, closed=True)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Product with sine."""
        sign, size = sign_and_size(x)
        y, slope = _product(size)
        return sign * y.clamp_max(HIGHEST), slope.clamp_min(0).log()

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Newton's method on the absolute value."""
        sign, size = sign_and_size(y)
        below = (2 / _CURVATURE * (HIGHEST - size).clamp_min(0)).sqrt()
        start = torch.where(size < 1.2, size.sqrt() * (1 + size / 12), TURN - below)
        x = newton_root(_product, size, start, reach=_from_ends).clamp(0, TURN)
        return sign * x, -_product(x)[1].clamp_min(0).log()


def _from_ends(x: Tensor) -> Tensor:
    return torch.minimum(x, TURN - x).clamp_min(0)


def _product(x: Tensor) -> tuple[Tensor, Tensor]:
    """x sin x and its slope, for x >= 0."""
    sine = x.sin()
    return x * sine, sine + x * x.cos()
