"""GELU with the branch on which its argument lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.functional.roots import newton_root
from preimage.functional.scalar.normal import inverse_mills_ratio, log_normal_cdf, normal_cdf
from preimage.layers.elementwise.dip import Dip

TURN = -0.75179152469356446
LOWEST = -0.16997120747990366
_CURVATURE = 0.43149399231404692
_SLOPE_AT_0 = math.sqrt(0.5 / math.pi)


class GELU(Dip):
    r"""Gaussian error linear unit with a branch bit, :math:`x \mapsto (x\,\Phi(x), [x < x^*])`.

    GELU falls to :math:`y^* = -0.169971` at :math:`x^* = -0.751792` and rises from there, so that y < 0 has
    two preimages. The inverse has no closed form: Newton's method, right of the lowest point on y, left of
    it on :math:`\log(-y)`, where the tail is a parabola. log_det is :math:`\sum \log|\Phi(x) + x
    \varphi(x)|`, minus infinity at the lowest point, close to which half of the digits are lost. Left of x
    = -14 (float32) or -38 (float64) y rounds to 0, which the inverse refuses.

    Reference: Hendrycks, Gimpel (2016), https://arxiv.org/abs/1606.08415

    Returns:
        (y, branch), both of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a y below -0.169971, a branch other than 0 and 1, or a y of 0 or more on
            branch 1.

    Cost: O(numel(x)) forward, about fifteen times that in the inverse.

    Example:
        >>> import torch
        >>> y, branch = GELU()(torch.tensor([[-3.0, 0.0, 3.0]]))
        >>> y, branch
        (tensor([[-0.0040,  0.0000,  2.9960]]), tensor([[1., 0., 0.]]))
        >>> torch.allclose(GELU().inverse((y, branch)), torch.tensor([[-3.0, 0.0, 3.0]]))
        True
    """

    def __init__(self) -> None:
        super().__init__(TURN, LOWEST)

    def value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """GELU and its log-slope."""
        log_slope = log_normal_cdf(x) + (1 + x * inverse_mills_ratio(x)).abs().log()
        return x * normal_cdf(x), log_slope

    def right(self, y: Tensor) -> Tensor:
        """Newton's method from a parabola through the lowest point, or through the origin."""
        parabola = ((0.25 + 4 * _SLOPE_AT_0 * y).clamp_min(0).sqrt() - 0.5) / (2 * _SLOPE_AT_0)
        start = torch.where(y < -0.05, TURN + _distance(y), torch.where(y < 1, parabola, y))
        return newton_root(_gelu, y, start, reach=_from_turn)

    def left(self, y: Tensor) -> Tensor:
        """Newton's method on the logarithm, from the Gaussian tail or a parabola through the lowest point."""
        log = (-y).log()
        far = -(-2 * log.detach() - math.log(2 * math.pi)).clamp_min(0).sqrt()
        start = torch.where(y < -0.08, TURN - _distance(y), far)
        return newton_root(_log_gelu, log, start, reach=_from_turn)


def _distance(y: Tensor) -> Tensor:
    """How far x is from the lowest point, to first order."""
    return (2 / _CURVATURE * (y.detach() - LOWEST).clamp_min(0)).sqrt()


def _from_turn(x: Tensor) -> Tensor:
    return (x - TURN).abs()


def _gelu(x: Tensor) -> tuple[Tensor, Tensor]:
    cdf = normal_cdf(x)
    return x * cdf, cdf * (1 + x * inverse_mills_ratio(x))


def _log_gelu(x: Tensor) -> tuple[Tensor, Tensor]:
    """log(-x Phi(x)) and its slope, for x < 0."""
    return (-x).log() + log_normal_cdf(x), 1 / x + inverse_mills_ratio(x)
