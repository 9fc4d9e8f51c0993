"""View an event in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import zero_log_det


class Reshape(Bijection):
    r"""Another shape for the same values, in the same order: :math:`\mathrm{vec}\, y = \mathrm{vec}\, x`.

    log_det is exactly 0. The batch is no part of the shapes, so any number of rows fits.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 3.6, https://arxiv.org/abs/1605.08803

    Args:
        shape: event shape of x.
        new_shape: event shape of y, of as many values; one size may be -1 and is then computed.

    Returns:
        y ``(N, *new_shape)``, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: the shapes hold different numbers of values.
        ShapeError: x has another event shape.

    Cost: none, or one copy where x has gaps in memory.

    Example:
        >>> import torch
        >>> layer = Reshape((2, 6), (3, -1))
        >>> layer(torch.zeros(5, 2, 6)).shape
        torch.Size([5, 3, 4])
    """

    def __init__(self, shape: Sequence[int], new_shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.new_shape = _completed(self.shape, tuple(new_shape))
        self.domain, self.codomain = Reals(*self.shape), Reals(*self.new_shape)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """View."""
        return x.reshape(x.shape[0], *self.new_shape), zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """View back."""
        return y.reshape(y.shape[0], *self.shape), zero_log_det(y)

    def extra_repr(self) -> str:
        """Both shapes."""
        return f"{self.shape}, {self.new_shape}"


def _completed(shape: tuple[int, ...], new_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The new shape with -1 replaced."""
    known = math.prod(size for size in new_shape if size != -1)
    filled = tuple(math.prod(shape) // max(known, 1) if size == -1 else size for size in new_shape)
    sizes_are_valid = min((*shape, *filled), default=1) >= 1 and new_shape.count(-1) <= 1
    if not shape or not filled or not sizes_are_valid or math.prod(filled) != math.prod(shape):
        raise ValueError(
            f"Reshape: got {shape} and {new_shape}, wanted two event shapes, without the batch, of equally"
            " many values, such as (3, 8, 8) and (-1,)"
        )
    return filled
