"""Bijections of a few lines that several tests of the contract share."""

import numpy as np
import torch

from preimage import Bijection
from preimage.domains import Interval, Reals
from preimage.layers import Coupling
from preimage.nets import MLP


class Swap(Bijection):
    """Two inputs, exchanged and the first one doubled."""

    domain = codomain = (Reals(2), Reals(3))

    def forward_and_log_det(self, x, context=None):
        a, b = x
        return (2 * a, b + 1), a.new_full(a.shape[:1], 2 * np.log(2))

    def inverse_and_log_det(self, y, context=None):
        a, b = y
        return (a / 2, b - 1), a.new_full(a.shape[:1], -2 * np.log(2))


class Logit(Bijection):
    """A map with a restricted domain."""

    domain = Interval(0, 1)

    def forward_and_log_det(self, x, context=None):
        return x.log() - (-x).log1p(), -(x.log() + (-x).log1p()).sum(1)

    def inverse_and_log_det(self, y, context=None):
        return y.sigmoid(), (-torch.nn.functional.softplus(y) - torch.nn.functional.softplus(-y)).sum(1)


CONDITIONAL = Coupling(torch.tensor([True, False]), MLP(1, 2, (4,), context=3), context=3)
