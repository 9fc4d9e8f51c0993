"""Straight pieces."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.functional.splines.curve import Curve


@final
class Linear(Curve):
    r"""The straight line :math:`\eta = t`; the slopes at the ends play no part.

    Reference: Müller, McWilliams, Rousselle, Gross, Novák (2019), Neural importance sampling,
    https://arxiv.org/abs/1808.03856

    Example:
        >>> Linear().root(torch.tensor(0.25), torch.tensor(0.75), torch.ones(()), torch.ones(()))
        (tensor(0.2500), tensor(0.7500))
    """

    def rise(self, t: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The place itself."""
        return t, rest, torch.ones_like(t)

    def root(self, value: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The value itself."""
        return value, rest
