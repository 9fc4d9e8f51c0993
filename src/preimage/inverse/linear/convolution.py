"""Convolution with zero padding, as networks compute it, and its true adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape

Pair = tuple[int, int]

_FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_BACKWARD = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def per_dimension(value: int | Sequence[int], dimensions: int) -> Shape:
    """One integer for each spatial dimension, from one integer or a sequence."""
    values = (value,) * dimensions if isinstance(value, int) else tuple(value)
    return values * dimensions if len(values) == 1 else values


def padding_pairs(padding: int | Sequence[int | Sequence[int]], dimensions: int) -> tuple[Pair, ...]:
    """(before, after) for each spatial dimension, from one integer, one per dimension, or pairs."""
    values = (padding,) * dimensions if isinstance(padding, int) else tuple(padding)
    values = values * dimensions if len(values) == 1 else values
    return tuple((v, v) if isinstance(v, int) else (v[0], v[1]) for v in values)


def pad_argument(pairs: Sequence[Pair]) -> list[int]:
    """The argument of torch's pad, which counts from the last dimension."""
    return [size for pair in reversed(pairs) for size in pair]


@final
class Convolution(LinearMap):
    """z[o, i] = sum over c, k of w[o, c, k] x[c, s i + d k - p]; zero outside; the networks' correlation.

    Reference: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285.

    Args:
        weight: ``(C_out, C_in / groups, *kernel)`` with 1, 2 or 3 kernel dimensions; kept by reference.
        in_shape: ``(C_in, *size)``.
        stride: one integer or one for each dimension, >= 1.
        padding: one integer, one for each dimension, or pairs (before, after); negative values crop.
        dilation: one integer or one for each dimension, >= 1.
        groups: number of channel groups; ``C_in`` makes it depthwise.

    Raises:
        ShapeError: when channels, groups or sizes do not fit.

    Cost: one convolution each way.

    Example:
        >>> import torch
        >>> difference = Convolution(torch.tensor([[[-1.0, 1.0]]]), (1, 4))
        >>> difference.apply(torch.tensor([[[1.0, 2.0, 4.0, 7.0]]]))
        tensor([[[1., 2., 3.]]])
        >>> difference.adjoint(torch.tensor([[[1.0, 0.0, 0.0]]]))
        tensor([[[-1.,  1.,  0.,  0.]]])
    """

    def __init__(
        self,
        weight: Tensor,
        in_shape: Shape,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int | Sequence[int]] = 0,
        *,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        dimensions = weight.dim() - 2
        if dimensions not in _FORWARD:
            raise ShapeError(
                f"a convolution needs a weight of 3, 4 or 5 dimensions; got {tuple(weight.shape)}"
            )
        if len(in_shape) != dimensions + 1 or in_shape[0] != weight.shape[1] * groups:
            raise ShapeError(
                f"weight {tuple(weight.shape)} with groups={groups} takes {weight.shape[1] * groups} channels"
                f" and {dimensions} spatial dimensions; got the event shape {tuple(in_shape)}"
            )
        self.weight = weight
        self.stride = per_dimension(stride, dimensions)
        self.padding = padding_pairs(padding, dimensions)
        self.dilation = per_dimension(dilation, dimensions)
        self.groups = groups
        self._in_shape = tuple(in_shape)
        self._size = tuple(self._output_size(axis) for axis in range(dimensions))

    def _output_size(self, axis: int) -> int:
        room = self._padded(axis) - self.span[axis]
        if room < 0:
            raise ShapeError(
                f"a kernel that spans {self.span[axis]} does not fit into {self._padded(axis)} padded samples"
                f" on spatial axis {axis}; use a larger input or more padding"
            )
        return room // self.stride[axis] + 1

    def _padded(self, axis: int) -> int:
        return self._in_shape[axis + 1] + sum(self.padding[axis])

    @property
    def dimensions(self) -> int:
        """Number of spatial dimensions."""
        return self.weight.dim() - 2

    @property
    def kernel(self) -> Shape:
        """Kernel size in taps."""
        return tuple(self.weight.shape[2:])

    @property
    def span(self) -> Shape:
        """Kernel size in samples, dilation included."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.weight.shape[2:], strict=True))

    @property
    def in_shape(self) -> Shape:
        """``(C_in, *size)``."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """``(C_out, *size)``."""
        return (self.weight.shape[0], *self._size)

    def tensors(self) -> tuple[Tensor, ...]:
        """The weight."""
        return (self.weight,)

    def _apply(self, x: Tensor) -> Tensor:
        padding: Shape | int = 0
        if all(a == b >= 0 for a, b in self.padding):
            padding = tuple(a for a, _ in self.padding)
        else:
            x = F.pad(x, pad_argument(self.padding))
        convolve = _FORWARD[self.dimensions]
        return convolve(x, self.weight.to(x), None, self.stride, padding, self.dilation, self.groups)

    def _adjoint(self, v: Tensor) -> Tensor:
        # Samples that no window reads lie at the far end; output_padding restores them as zeros.
        unread = tuple(
            self._padded(a) - self.span[a] - self.stride[a] * (self._size[a] - 1)
            for a in range(self.dimensions)
        )
        spread = _BACKWARD[self.dimensions]
        x = spread(v, self.weight.to(v), None, self.stride, 0, unread, self.groups, self.dilation)
        return F.pad(x, pad_argument([(-before, -after) for before, after in self.padding]))
