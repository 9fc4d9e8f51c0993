"""Windows of a convolution as rows, the samples of one position side by side, for batched products."""

from __future__ import annotations

import itertools
from typing import final

import torch.nn.functional as F
from torch import Tensor

from preimage.inverse.linear.convolution import Convolution, pad_argument


@final
class WindowRows:
    """Cuts x into the windows that each position of z sees, and adds windows up again.

    The samples of one position stand next to each other, so that one matrix for each position multiplies all
    of them where it lies in memory; nothing is copied twice.

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
        self._groups, self._positions = convolution.groups, convolution.out_shape[1:]
        self._kernel, self._stride = convolution.kernel, convolution.stride
        self._dilation, self._pad = convolution.dilation, pad_argument(convolution.padding)
        self._unknowns = convolution.weight[0].numel()
        sides = zip(convolution.in_shape[1:], convolution.padding, strict=True)
        self._padded = tuple(size + sum(pair) for size, pair in sides)

    def cut(self, x: Tensor) -> Tensor:
        """``(N, C, *size)`` to ``(groups, positions, N, unknowns)``, zeros outside of x."""
        dims, windows = len(self._kernel), F.pad(x, self._pad)
        for axis, (size, step, gap) in enumerate(
            zip(self._kernel, self._stride, self._dilation, strict=True), 2
        ):
            windows = windows.unfold(axis, (size - 1) * gap + 1, step)[..., ::gap]
        windows = windows.unflatten(1, (self._groups, -1))  # (N, groups, c, *positions, *kernel)
        order = (1, *range(3, 3 + dims), 0, 2, *range(3 + dims, 3 + 2 * dims))
        return windows.permute(order).reshape(self._groups, -1, x.shape[0], self._unknowns)

    def add(self, rows: Tensor) -> Tensor:
        """The adjoint of ``cut``: ``(groups, positions, N, unknowns)`` to ``(N, C, *size)``."""
        batch, dims = rows.shape[2], len(self._kernel)
        windows = rows.view(self._groups, *self._positions, batch, -1, *self._kernel)
        channels = windows.shape[2 + dims]
        total = rows.new_zeros(self._groups, *self._padded, batch, channels)
        for tap in itertools.product(*map(range, self._kernel)):
            total[(slice(None), *self._seen(tap))] += windows[(..., *tap)]
        x = total.movedim((-2, -1), (0, 2)).flatten(1, 2)
        return F.pad(x, [-side for side in self._pad]).contiguous()

    def _seen(self, tap: tuple[int, ...]) -> tuple[slice, ...]:
        """The values that one tap of all windows sees."""
        parts = zip(tap, self._dilation, self._stride, self._positions, strict=True)
        return tuple(slice(t * gap, t * gap + (count - 1) * step + 1, step) for t, gap, step, count in parts)
