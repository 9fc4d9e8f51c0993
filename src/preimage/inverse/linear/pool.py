"""Average pooling, a linear map with many zeros in its spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape
from preimage.inverse.linear.convolution import padding_pairs, per_dimension


class SeparableAverage(LinearMap):
    """z = (M_1 x ... x M_d) x on the last d dimensions, each M_i a small averaging matrix."""

    def __init__(self, in_shape: Shape, matrices: Sequence[Tensor]) -> None:
        self.matrices = tuple(matrices)
        self._in_shape = tuple(in_shape)

    @property
    def in_shape(self) -> Shape:
        """``(C, *size)``."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """``(C, *size)``."""
        keep = len(self._in_shape) - len(self.matrices)
        return (*self._in_shape[:keep], *(m.shape[0] for m in self.matrices))

    def _apply(self, x: Tensor) -> Tensor:
        for back, matrix in enumerate(reversed(self.matrices)):
            x = (x.movedim(-1 - back, -1) @ matrix.to(x).T).movedim(-1, -1 - back)
        return x

    def _adjoint(self, v: Tensor) -> Tensor:
        for back, matrix in enumerate(reversed(self.matrices)):
            v = (v.movedim(-1 - back, -1) @ matrix.to(v)).movedim(-1, -1 - back)
        return v


@final
class AveragePool(SeparableAverage):
    """z = mean of x over windows, as ``torch.nn.AvgPool1d/2d/3d`` computes it.

    Args:
        in_shape: ``(C, *size)``.
        kernel: window, one integer or one for each dimension.
        stride: step; the window when left out.
        padding: zeros on both sides, or pairs.
        count_include_pad: whether padded zeros count in the mean.

    Raises:
        ShapeError: when the window does not fit.

    Example:
        >>> import torch
        >>> AveragePool((1, 4), 2).apply(torch.tensor([[[1.0, 3.0, 5.0, 9.0]]]))
        tensor([[[2., 7.]]])
    """

    def __init__(
        self,
        in_shape: Shape,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int | Sequence[int]] = 0,
        count_include_pad: bool = True,
    ) -> None:
        n = len(in_shape) - 1
        kernels = per_dimension(kernel, n)
        strides = kernels if stride is None else per_dimension(stride, n)
        pads = padding_pairs(padding, n)
        windows = [_windows(in_shape[i + 1], kernels[i], strides[i], pads[i]) for i in range(n)]
        full = [torch.full_like(w[:, :1], k) for w, k in zip(windows, kernels, strict=True)]
        counts = full if count_include_pad else [w.sum(1, keepdim=True) for w in windows]
        super().__init__(in_shape, [w / c for w, c in zip(windows, counts, strict=True)])


@final
class AdaptiveAveragePool(SeparableAverage):
    """z = mean of x over ``out`` nearly equal windows, as ``torch.nn.AdaptiveAvgPool1d/2d/3d`` computes it.

    Args:
        in_shape: ``(C, *size)``.
        out: output size, one integer or one for each dimension; None keeps a dimension.

    Example:
        >>> import torch
        >>> AdaptiveAveragePool((1, 2, 2), 1).apply(torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]))
        tensor([[[[3.]]]])
    """

    def __init__(self, in_shape: Shape, out: int | Sequence[int | None]) -> None:
        n = len(in_shape) - 1
        wanted = (out,) * n if isinstance(out, int) else tuple(out)
        sizes = [s if o is None else o for s, o in zip(in_shape[1:], wanted, strict=True)]
        super().__init__(in_shape, [_adaptive(s, o) for s, o in zip(in_shape[1:], sizes, strict=True)])


def _windows(size: int, kernel: int, stride: int, padding: tuple[int, int]) -> Tensor:
    count = (size + sum(padding) - kernel) // stride + 1
    if count < 1:
        raise ShapeError(f"a window of {kernel} does not fit into {size} samples with padding {padding}")
    start = torch.arange(count)[:, None] * stride - padding[0]
    position = torch.arange(size)[None]
    return ((position >= start) & (position < start + kernel)).to(torch.float64)


def _adaptive(size: int, out: int) -> Tensor:
    index = torch.arange(out)[:, None]
    start, end = index * size // out, -((-(index + 1) * size) // out)
    position = torch.arange(size)[None]
    inside = ((position >= start) & (position < end)).to(torch.float64)
    return inside / inside.sum(1, keepdim=True)
