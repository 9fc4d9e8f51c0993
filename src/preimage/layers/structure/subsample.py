"""Divide a signal or picture into its sub-sampled copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import zero_log_det
from preimage.functional.signals.phases import gather_phases, scatter_phases
from preimage.layers.structure.multiples import Multiples
from preimage.layers.structure.parts import check_equal_shapes


class Subsample(Bijection):
    r"""Every f-th position, from each start: :math:`y^{(i, j)}_{c, h, w} = x_{c,\, f_1 h + i,\, f_2 w + j}`.

    log_det is exactly 0. One tensor becomes a tuple of :math:`f_1 f_2` tensors. ``Subsample((2,))`` gives the
    even and the odd samples of a signal: the lazy wavelet, on which couplings between the parts build
    (lifting).

    Reference: Sweldens (1998), The lifting scheme, https://doi.org/10.1137/S0036141095289051

    Args:
        factors: one factor per dimension of space: ``(2,)`` for signals ``(N, C, T)``, ``(2, 3)`` for
            pictures ``(N, C, H, W)``; a number f stands for ``(f, f)``.

    Returns:
        A tuple of tensors ``(N, C, H / f_1, W / f_2)``, the start in the last dimension running fastest, and
        log_det ``(N,)`` of zeros.

    Raises:
        ValueError: a factor is less than 1, or there is only one copy.
        ShapeError: a size is not a multiple of its factor; on the way back, the parts differ in shape.

    Cost: one copy of x.

    Example:
        >>> import torch
        >>> even, odd = Subsample((2,))(torch.arange(4.0).view(1, 1, 4))
        >>> even, odd
        (tensor([[[0., 2.]]]), tensor([[[1., 3.]]]))
    """

    def __init__(self, factors: int | Sequence[int]) -> None:
        super().__init__()
        self.factors = (factors, factors) if isinstance(factors, int) else tuple(factors)
        if not self.factors or min(self.factors) < 1 or math.prod(self.factors) < 2:
            raise ValueError(f"Subsample: factors are {self.factors}, wanted numbers such as (2,) or (2, 2)")
        self.domain = Multiples(None, *self.factors)
        pattern = [None] * (1 + len(self.factors))
        self.codomain = tuple(Reals(*pattern) for _ in range(math.prod(self.factors)))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[tuple[Tensor, ...], Tensor]:
        """Divide."""
        return gather_phases(x, self.factors).unbind(2), zero_log_det(x)

    def inverse_and_log_det(self, y: tuple[Tensor, ...], context: Context = None) -> tuple[Tensor, Tensor]:
        """Interleave."""
        check_equal_shapes("Subsample.inverse_and_log_det", y)
        return scatter_phases(torch.stack(y, dim=2), self.factors), zero_log_det(y[0])

    def extra_repr(self) -> str:
        """The factors."""
        return f"{self.factors}"


class Checkerboard(Bijection):
    r"""The black and the white squares of a picture: :math:`(h + w) \bmod 2 = 0` and 1; log_det is exactly 0.

    Within its row, every square keeps its order. Unlike a checkerboard mask, nothing is computed for squares
    that stay: the parts are half as wide.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, figure 3, https://arxiv.org/abs/1605.08803

    Returns:
        A tuple of two tensors ``(N, C, H, W / 2)``, the one with the corner first, and log_det ``(N,)`` of
        zeros.

    Raises:
        ShapeError: the width of x is odd, or on the way back the parts differ in shape.

    Cost: two copies of x.

    Example:
        >>> import torch
        >>> black, white = Checkerboard()(torch.arange(8.0).view(1, 1, 2, 4))
        >>> black[0, 0]
        tensor([[0., 2.],
                [5., 7.]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.domain = Multiples(None, None, 2)
        self.codomain = (Reals(None, None, None), Reals(None, None, None))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Divide."""
        even, odd = x.unflatten(3, (-1, 2)).unbind(4)  # (N, C, H, W / 2)
        return _swap_odd_rows(even, odd), zero_log_det(x)

    def inverse_and_log_det(self, y: tuple[Tensor, Tensor], context: Context = None) -> tuple[Tensor, Tensor]:
        """Put both colours together."""
        check_equal_shapes("Checkerboard.inverse_and_log_det", y)
        return torch.stack(_swap_odd_rows(*y), dim=4).flatten(3, 4), zero_log_det(y[0])


def _swap_odd_rows(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Exchange a and b in rows 1, 3, ...; twice is nothing."""
    is_even = (torch.arange(a.shape[2], device=a.device) % 2 == 0)[:, None]  # (H, 1)
    return torch.where(is_even, a, b), torch.where(is_even, b, a)
