"""Sine with the branch on which its argument lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.domains import Interval
from preimage.layers.elementwise.branched import Branched
from preimage.layers.elementwise.whole_numbers import WholeNumbers


class Sine(Branched):
    r"""Sine with a branch index, :math:`x \mapsto (\sin x, k)` with :math:`k = \operatorname{round}(x/\pi)`.

    The inverse is :math:`x = (-1)^k \arcsin y + k\pi`, for every real x. log_det is
    :math:`\sum \log|\cos x|`, minus infinity at the turning points :math:`\pi/2 + k\pi`, close to which y
    keeps half of the digits of x only.

    Reference: NIST Digital Library of Mathematical Functions, section 4.23, https://dlmf.nist.gov/4.23

    Returns:
        (y, k), both of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a y outside [-1, 1], or a k that is not a whole number.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> y, branch = Sine()(torch.tensor([[0.0, 3.0, -4.0]]))
        >>> branch
        tensor([[ 0.,  1., -1.]])
        >>> Sine().inverse((y, branch))
        tensor([[ 0.,  3., -4.]])
    """

    codomain = (Interval(-1, 1, closed=True), WholeNumbers())

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sine, and the number of the half wave."""
        return x.sin(), (x.detach() / math.pi).round(), x.cos().abs().log()

    def inverse_elements(self, y: Tensor, branch: Tensor) -> tuple[Tensor, Tensor]:
        """Arc sine on that half wave."""
        sign = 1 - 2 * torch.remainder(branch.detach(), 2)
        log_cosine = (y.log1p() + (-y).log1p()) / 2
        return sign * y.asin() + branch.detach() * math.pi, -log_cosine
