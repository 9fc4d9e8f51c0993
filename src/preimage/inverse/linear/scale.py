"""A diagonal map: one factor for each value or channel."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape


@final
class Scale(LinearMap):
    """z = scale * x.

    Args:
        scale: anything that broadcasts to the event shape, such as ``(C, 1, 1)`` per channel; a reference.
        shape: event shape.

    Raises:
        ShapeError: when the scale does not broadcast.

    Example:
        >>> import torch
        >>> Scale(torch.tensor([2.0, 3.0]), (2,)).apply(torch.ones(1, 2))
        tensor([[2., 3.]])
    """

    def __init__(self, scale: Tensor, shape: Shape) -> None:
        self.scale = scale
        self._shape = tuple(shape)
        if not _broadcasts(scale, self._shape):
            raise ShapeError(
                f"a scale of shape {tuple(scale.shape)} does not broadcast to {self._shape};"
                " write scale.view(-1, 1, 1) for one factor a channel of (C, H, W)"
            )

    @property
    def in_shape(self) -> Shape:
        """Event shape."""
        return self._shape

    @property
    def out_shape(self) -> Shape:
        """Event shape."""
        return self._shape

    def tensors(self) -> tuple[Tensor, ...]:
        """The scale."""
        return (self.scale,)

    def _apply(self, x: Tensor) -> Tensor:
        return x * self.scale.to(x)

    def _adjoint(self, v: Tensor) -> Tensor:
        return v * self.scale.to(v)


def _broadcasts(scale: Tensor, shape: Shape) -> bool:
    try:
        return torch.broadcast_shapes(scale.shape, shape) == shape
    except RuntimeError:
        return False
