"""Swish with the branch on which its argument lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from preimage.functional.roots import newton_root
from preimage.functional.scalar.lambert_w import lambert_w
from preimage.layers.elementwise.dip import Dip

TURN = -1.2784645427610738
LOWEST = -0.27846454276107380


class Swish(Dip):
    r"""Swish (SiLU) with a branch bit, :math:`x \mapsto (x\,\sigma(\beta x), [x < x^*])`.

    Swish falls to :math:`y^* = -0.27846/\beta` at :math:`x^* = -1.27846/\beta` and rises from there, so that
    y < 0 has two preimages. The bit tells them apart, and with it the inverse is exact:

    .. math:: x = y + W_k(\beta y\, e^{-\beta y}) / \beta

    with Lambert's W on branch k = 0 right of the lowest point and -1 left of it, polished by Newton steps on
    the map itself. log_det is :math:`\sum \log|\sigma(\beta x)(1 + \beta x\,\sigma(-\beta x))|`; it is minus
    infinity at the lowest point, close to which half of the digits are lost. Left of x = -103 (float32) or
    -745 (float64), over beta, y rounds to 0, which the inverse refuses.

    Reference: Ramachandran, Zoph, Le (2017), https://arxiv.org/abs/1710.05941; Lambert's W: Corless and
    others (1996), https://doi.org/10.1007/BF02124750

    Args:
        beta: steepness, positive; 1 for SiLU.

    Returns:
        (y, branch), both of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a y below the lowest value, a branch other than 0 and 1, or a y of 0 or
            more on branch 1.
        ValueError: beta is not positive.

    Cost: O(numel(x)) forward, about fifteen times that in the inverse.

    Example:
        >>> import torch
        >>> y, branch = Swish()(torch.tensor([[-2.0, -0.7361879, 1.0]]))
        >>> y, branch
        (tensor([[-0.2384, -0.2384,  0.7311]]), tensor([[1., 0., 0.]]))
        >>> Swish().inverse((y, branch))
        tensor([[-2.0000, -0.7362,  1.0000]])
    """

    def __init__(self, beta: float = 1.0) -> None:
        if not 0 < beta < math.inf:
            raise ValueError(f"Swish: beta is {beta}, wanted a positive number, such as 1.0")
        super().__init__(TURN / beta, LOWEST / beta)
        self.beta = beta

    def value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Swish and its log-slope."""
        u = self.beta * x
        return x * u.sigmoid(), logsigmoid(u) + (1 + u * (-u).sigmoid()).abs().log()

    def right(self, y: Tensor) -> Tensor:
        """By the upper branch of Lambert's W."""
        return self._solve(y, 0)

    def left(self, y: Tensor) -> Tensor:
        """By the lower branch of Lambert's W."""
        return self._solve(y, -1)

    def _solve(self, y: Tensor, branch: int) -> Tensor:
        v = self.beta * y
        with torch.no_grad():
            start = v + lambert_w(v * torch.exp(-v), branch)
        return newton_root(_swish, v, start, steps=0, reach=_from_turn) / self.beta

    def extra_repr(self) -> str:
        """The steepness."""
        return f"beta={self.beta}"


def _from_turn(u: Tensor) -> Tensor:
    return (u - TURN).abs()


def _swish(u: Tensor) -> tuple[Tensor, Tensor]:
    yes, no = u.sigmoid(), (-u).sigmoid()
    return u * yes, yes * (1 + u * no)
