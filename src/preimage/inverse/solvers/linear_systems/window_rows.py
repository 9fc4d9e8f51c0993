"""Windows of a convolution as rows, the samples of one position side by side, for batched products."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from preimage.inverse.linear.convolution import Convolution, pad_argument


@final
class WindowRows:
    """Cuts x into the windows that each position of z sees, and adds windows up again.

    The samples of one position stand next to each other, so that one matrix for each position multiplies all
    of them where it lies in memory. Where the values of each window lie is written down once; reading by
    such a list is four times as fast as copying strided views.

    Args:
        convolution: the convolution whose windows are cut out, in any number of dimensions.

    Example:
        >>> import torch
        >>> rows = WindowRows(Convolution(torch.ones(1, 1, 2), (1, 3)))
        >>> cut = rows.cut(torch.tensor([[[1.0, 2.0, 3.0]]]))
        >>> cut  # one group, two positions, one sample
        tensor([[[[1., 2.]],
        <BLANKLINE>
                 [[2., 3.]]]])
        >>> rows.add(cut)
        tensor([[[1., 4., 3.]]])
    """

    def __init__(self, convolution: Convolution) -> None:
        self._pad = pad_argument(convolution.padding)
        sides = zip(convolution.in_shape[1:], convolution.padding, strict=True)
        self._padded = (convolution.in_shape[0], *(size + sum(pair) for size, pair in sides))
        numbers = torch.arange(math.prod(self._padded), device=convolution.weight.device)
        seen = _windows(convolution, numbers.view(self._padded))  # (groups, positions, unknowns)
        self._shape, self._seen = seen.shape, seen.flatten()

    def cut(self, x: Tensor) -> Tensor:
        """``(N, C, *size)`` to ``(groups, positions, N, unknowns)``, zeros outside of x."""
        values = F.pad(x, self._pad).flatten(1).index_select(1, self._seen)
        return values.view(-1, *self._shape).movedim(0, 2)

    def add(self, rows: Tensor) -> Tensor:
        """The adjoint of ``cut``: ``(groups, positions, N, unknowns)`` to ``(N, C, *size)``."""
        values = rows.movedim(2, 0).flatten(1)
        total = rows.new_zeros(len(values), math.prod(self._padded)).index_add_(1, self._seen, values)
        x = total.view(-1, *self._padded)
        return F.pad(x, [-side for side in self._pad]).contiguous()


def _windows(convolution: Convolution, x: Tensor) -> Tensor:
    """The windows of one padded sample ``(C, *size)``, ``(groups, positions, unknowns)``."""
    dims, windows = len(convolution.kernel), x
    steps = zip(convolution.kernel, convolution.stride, convolution.dilation, strict=True)
    for axis, (size, step, gap) in enumerate(steps, 1):
        windows = windows.unfold(axis, (size - 1) * gap + 1, step)[..., ::gap]
    windows = windows.unflatten(0, (convolution.groups, -1))  # (groups, c, *positions, *kernel)
    windows = windows.movedim(1, 1 + dims)  # (groups, *positions, c, *kernel)
    return windows.reshape(convolution.groups, math.prod(convolution.out_shape[1:]), -1)
