"""A matrix on the last axis (torch.nn.Linear)."""

from __future__ import annotations

from typing import final

from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape


@final
class Dense(LinearMap):
    """z[..., o] = sum over i of w[o, i] x[..., i].

    Args:
        weight: ``(features_out, features_in)``; kept by reference.
        in_shape: ``(*, features_in)``; ``(features_in,)`` when left out.

    Raises:
        ShapeError: when the last axis does not fit the weight.

    Example:
        >>> import torch
        >>> Dense(torch.tensor([[1.0, 1.0]])).adjoint(torch.tensor([[3.0]]))
        tensor([[3., 3.]])
    """

    def __init__(self, weight: Tensor, in_shape: Shape | None = None) -> None:
        shape = (weight.shape[-1],) if in_shape is None else tuple(in_shape)
        if weight.dim() != 2 or not shape or shape[-1] != weight.shape[1]:
            raise ShapeError(
                f"weight {tuple(weight.shape)} must be (out, in) with in = last of the event shape {shape}"
            )
        self.weight = weight
        self._in_shape = shape

    @property
    def in_shape(self) -> Shape:
        """``(*, features_in)``."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """``(*, features_out)``."""
        return (*self._in_shape[:-1], self.weight.shape[0])

    def tensors(self) -> tuple[Tensor, ...]:
        """The weight."""
        return (self.weight,)

    def _apply(self, x: Tensor) -> Tensor:
        return x @ self.weight.to(x).T

    def _adjoint(self, v: Tensor) -> Tensor:
        return v @ self.weight.to(v)
