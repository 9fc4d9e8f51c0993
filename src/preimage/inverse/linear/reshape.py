"""Reordering of values: view, permutation of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape


@final
class Reshape(LinearMap):
    """z holds the values of x in the same order under another event shape.

    Args:
        in_shape, out_shape: event shapes with equally many values.

    Raises:
        ShapeError: when the numbers of values differ.

    Example:
        >>> import torch
        >>> Reshape((2, 2), (4,)).apply(torch.ones(1, 2, 2)).shape
        torch.Size([1, 4])
    """

    def __init__(self, in_shape: Shape, out_shape: Shape) -> None:
        if math.prod(in_shape) != math.prod(out_shape):
            raise ShapeError(
                f"{tuple(in_shape)} cannot be viewed as {tuple(out_shape)}: the numbers of values differ"
            )
        self._in_shape, self._out_shape = tuple(in_shape), tuple(out_shape)

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return self._out_shape

    def _apply(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self._out_shape)

    def _adjoint(self, v: Tensor) -> Tensor:
        return v.reshape(v.shape[0], *self._in_shape)


@final
class Permute(LinearMap):
    """z is x with its event axes in another order.

    Args:
        in_shape: event shape of x.
        order: event axis of x (counted without the batch) for each axis of z.

    Raises:
        ShapeError: when the order is no permutation of the axes.

    Example:
        >>> import torch
        >>> Permute((3, 4, 5), (1, 2, 0)).out_shape
        (4, 5, 3)
    """

    def __init__(self, in_shape: Shape, order: Sequence[int]) -> None:
        if sorted(order) != list(range(len(in_shape))):
            raise ShapeError(
                f"{tuple(order)} is no order of the {len(in_shape)} event axes of {tuple(in_shape)}"
            )
        self._in_shape = tuple(in_shape)
        self.order = tuple(order)

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return tuple(self._in_shape[axis] for axis in self.order)

    def _apply(self, x: Tensor) -> Tensor:
        return x.permute(0, *(axis + 1 for axis in self.order))

    def _adjoint(self, v: Tensor) -> Tensor:
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return v.permute(0, *(axis + 1 for axis in back))
