"""The identity."""

from __future__ import annotations

from typing import final

from torch import Tensor

from preimage.inverse.linear.base import LinearMap, Shape


@final
class Identity(LinearMap):
    """z = x.

    Args:
        shape: event shape.

    Example:
        >>> import torch
        >>> Identity((2,)).apply(torch.tensor([[1.0, 2.0]]))
        tensor([[1., 2.]])
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = tuple(shape)

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z, the same."""
        return self._shape

    def _apply(self, x: Tensor) -> Tensor:
        return x

    def _adjoint(self, v: Tensor) -> Tensor:
        return v
