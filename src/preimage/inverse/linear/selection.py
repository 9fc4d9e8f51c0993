"""Outputs that are copies of inputs, or zero: slicing, repeating, windows, nearest-neighbour scaling."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape


@final
class Selection(LinearMap):
    """z_j = x_{i(j)}, and z_j = 0 where i(j) = -1; numbers are counted in their order in memory.

    Args:
        index: i, for each output the position of the input that it copies, or -1; whole numbers of any shape.
        in_shape: event shape of x.
        out_shape: event shape of z.

    Raises:
        ShapeError: when the index has not one entry for each output, or points outside.

    Example:
        >>> import torch
        >>> every_other = Selection(torch.tensor([0, 2, -1]), (4,), (3,))
        >>> every_other.apply(torch.tensor([[5.0, 6.0, 7.0, 8.0]]))
        tensor([[5., 7., 0.]])
    """

    def __init__(self, index: Tensor, in_shape: Shape, out_shape: Shape) -> None:
        self._in_shape, self._out_shape = tuple(in_shape), tuple(out_shape)
        size = math.prod(in_shape)
        if index.numel() != math.prod(out_shape) or bool(((index < -1) | (index >= size)).any()):
            raise ShapeError(
                f"an index of {index.numel()} entries does not select {tuple(out_shape)} from"
                f" {tuple(in_shape)}: one entry for each output, between -1 and {size - 1}, was wanted"
            )
        self.index = index.reshape(-1).long()

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return self._out_shape

    def _apply(self, x: Tensor) -> Tensor:
        index = self.index.to(x.device)
        z = x.reshape(x.shape[0], -1)[:, index.clamp_min(0)]
        return torch.where(index < 0, z.new_zeros(()), z).view(-1, *self._out_shape)

    def _adjoint(self, v: Tensor) -> Tensor:
        index, size = self.index.to(v.device), self.in_size
        slots = torch.where(index < 0, size, index)
        x = v.new_zeros(v.shape[0], size + 1).index_add(1, slots, v.reshape(v.shape[0], -1))
        return x[:, :size].view(-1, *self._in_shape)

    def counts(self) -> Tensor:
        """How often each input is copied, int ``(in_size,)``."""
        return torch.bincount(self.index[self.index >= 0], minlength=self.in_size)
