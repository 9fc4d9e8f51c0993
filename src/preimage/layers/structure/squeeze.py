"""Trade space for channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.event import zero_log_det
from preimage.functional.signals.phases import gather_phases, scatter_phases
from preimage.layers.structure.multiples import Multiples


class Squeeze(Bijection):
    r"""Space to channels: every block of positions becomes channels; log_det is exactly 0.

    .. math:: y_{c f_1 f_2 + i f_2 + j,\, h,\, w} = x_{c,\, f_1 h + i,\, f_2 w + j}

    ``Squeeze(...).inv`` is the pixel shuffle: channels to space. The order of the channels is that of
    ``torch.nn.PixelUnshuffle``, but sizes and factors need not be square and any number of dimensions works.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 3.6, https://arxiv.org/abs/1605.08803;
    Shi et al. (2016), sub-pixel convolution, https://arxiv.org/abs/1609.05158

    Args:
        factors: one factor per dimension of space: ``(2,)`` for signals ``(N, C, T)``, ``(2, 3)`` for
            pictures ``(N, C, H, W)``; a number f stands for ``(f, f)``.

    Returns:
        y ``(N, C f_1 f_2, H / f_1, W / f_2)``, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: a factor is less than 1.
        ShapeError: a size is not a multiple of its factor.

    Cost: one copy of x.

    Example:
        >>> import torch
        >>> Squeeze(2)(torch.zeros(1, 3, 4, 6)).shape
        torch.Size([1, 12, 2, 3])
        >>> Squeeze((2,))(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]]))
        tensor([[[0., 2.],
                 [1., 3.]]])
    """

    def __init__(self, factors: int | Sequence[int]) -> None:
        super().__init__()
        self.factors = (factors, factors) if isinstance(factors, int) else tuple(factors)
        if not self.factors or min(self.factors) < 1:
            raise ValueError(f"Squeeze: factors are {self.factors}, wanted positive numbers, such as (2, 2)")
        self.domain = Multiples(None, *self.factors)
        self.codomain = Multiples(math.prod(self.factors), *[None] * len(self.factors))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Space to channels."""
        return gather_phases(x, self.factors).flatten(1, 2), zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Channels to space."""
        phases = y.unflatten(1, (-1, math.prod(self.factors)))  # (N, C, F, h, w)
        return scatter_phases(phases, self.factors), zero_log_det(y)

    def extra_repr(self) -> str:
        """The factors."""
        return f"{self.factors}"
