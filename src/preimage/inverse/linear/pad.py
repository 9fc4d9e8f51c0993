"""Padding by zeros, copies, mirror images or wrapping; negative padding crops."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape
from preimage.inverse.linear.convolution import Pair, pad_argument


@final
class Pad(LinearMap):
    """z = x between zeros; negative sizes crop instead.

    Args:
        shape: event shape of x.
        padding: pairs (before, after) for the *last* dimensions of the event, in their order.

    Example:
        >>> import torch
        >>> Pad((3,), [(1, -1)]).apply(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[0., 1., 2.]])
    """

    def __init__(self, shape: Shape, padding: Sequence[Pair]) -> None:
        self.padding = tuple((before, after) for before, after in padding)
        self._in_shape = tuple(shape)
        self._out_shape = padded_shape(self._in_shape, self.padding)

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return self._out_shape

    def _apply(self, x: Tensor) -> Tensor:
        return F.pad(x, pad_argument(self.padding))

    def _adjoint(self, v: Tensor) -> Tensor:
        return F.pad(v, pad_argument([(-before, -after) for before, after in self.padding]))


class IndexPad(LinearMap):
    """z[i] = x[source(i)] along each of the last dimensions; the adjoint adds the copies up."""

    def __init__(self, shape: Shape, padding: Sequence[Pair]) -> None:
        self.padding = tuple((before, after) for before, after in padding)
        self._in_shape = tuple(shape)
        self._out_shape = padded_shape(self._in_shape, self.padding)

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return self._out_shape

    @abstractmethod
    def _source(self, position: Tensor, size: int) -> Tensor:
        """The index in [0, size) that padded coordinate ``position`` (negative before the start) copies."""

    def _sources(self) -> list[tuple[int, Tensor]]:
        first = len(self._in_shape) - len(self.padding)
        sizes = self._in_shape[first:]
        return [
            (first + 1 + axis, self._source(torch.arange(-before, size + after), size))
            for axis, ((before, after), size) in enumerate(zip(self.padding, sizes, strict=True))
        ]

    def _apply(self, x: Tensor) -> Tensor:
        for axis, source in self._sources():
            x = x.index_select(axis, source.to(x.device))
        return x

    def _adjoint(self, v: Tensor) -> Tensor:
        for axis, source in reversed(self._sources()):
            shape = list(v.shape)
            shape[axis] = self._in_shape[axis - 1]
            v = v.new_zeros(shape).index_add(axis, source.to(v.device), v)
        return v


@final
class CircularPad(IndexPad):
    """z continues x periodically.

    Args:
        shape: event shape of x.
        padding: pairs (before, after) for the last dimensions.

    Example:
        >>> import torch
        >>> CircularPad((3,), [(1, 1)]).apply(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[3., 1., 2., 3., 1.]])
    """

    def _source(self, position: Tensor, size: int) -> Tensor:
        return position.remainder(size)


@final
class ReplicatePad(IndexPad):
    """z repeats the border values of x.

    Args:
        shape: event shape of x.
        padding: pairs (before, after) for the last dimensions.

    Example:
        >>> import torch
        >>> ReplicatePad((3,), [(1, 1)]).apply(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[1., 1., 2., 3., 3.]])
    """

    def _source(self, position: Tensor, size: int) -> Tensor:
        return position.clamp(0, size - 1)


@final
class ReflectPad(IndexPad):
    """z continues x by its mirror image, without repeating the border.

    Args:
        shape: event shape of x.
        padding: pairs (before, after) for the last dimensions, each below the size.

    Example:
        >>> import torch
        >>> ReflectPad((3,), [(1, 2)]).apply(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2., 1., 2., 3., 2., 1.]])
    """

    def _source(self, position: Tensor, size: int) -> Tensor:
        position = position.abs()
        return torch.where(position < size, position, 2 * (size - 1) - position)


def padded_shape(shape: Shape, padding: Sequence[Pair]) -> Shape:
    """Event shape after padding its last dimensions."""
    first = len(shape) - len(padding)
    if first < 0:
        raise ShapeError(f"{len(padding)} pairs of padding for the {len(shape)} dimensions of {tuple(shape)}")
    sizes = tuple(s + sum(p) for s, p in zip(shape[first:], padding, strict=True))
    if min(sizes, default=1) < 1:
        raise ShapeError(f"padding {tuple(padding)} crops {tuple(shape)} to nothing; crop less")
    return (*shape[:first], *sizes)
