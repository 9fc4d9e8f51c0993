"""The contracts of affine and linear maps: shapes without the batch, apply, true adjoint, live parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable

import torch
from torch import Tensor

from preimage.errors import ShapeError

Shape = tuple[int, ...]


def check_event(x: Tensor, shape: Shape, what: str) -> None:
    """Raise a ShapeError unless x is a floating tensor of shape ``(N, *shape)``.

    Raises:
        ShapeError: saying what came and what was wanted.
    """
    if tuple(x.shape[1:]) != shape or x.dim() != len(shape) + 1:
        raise ShapeError(f"{what} takes a tensor (N, {', '.join(map(str, shape))}); got {tuple(x.shape)}")
    if not (x.is_floating_point() or x.is_complex()):
        raise ShapeError(f"{what} takes floating point numbers; got {x.dtype}. Write x.float() first")


def version_of(tensor: Tensor) -> tuple[Hashable, ...]:
    """A key that changes when the tensor is replaced, moved, cast or written to in place."""
    count = -1 if tensor.is_inference() else tensor._version
    return (id(tensor), tensor.data_ptr(), count, tensor.dtype, tensor.device)


class Affine(ABC):
    """z = A x + b on events of a fixed shape; dim 0 is always the batch.

    Parameters are references to the tensors they were made from: a change of the network is seen by the next
    call. Computation runs in the dtype of the argument, not of the parameters.
    """

    @property
    @abstractmethod
    def in_shape(self) -> Shape:
        """Shape of x without the batch."""

    @property
    @abstractmethod
    def out_shape(self) -> Shape:
        """Shape of z without the batch."""

    @property
    @abstractmethod
    def linear(self) -> LinearMap:
        """The linear part A."""

    @property
    @abstractmethod
    def offset(self) -> Tensor | None:
        """The offset b, broadcastable to ``out_shape``; None stands for zero."""

    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """The live tensors that A and b are made from."""

    def apply(self, x: Tensor) -> Tensor:
        """A x + b, ``(N, *in_shape)`` to ``(N, *out_shape)``."""
        z = self.linear.apply(x)
        return z if self.offset is None else z + self.offset.to(z)

    def versions(self) -> tuple[Hashable, ...]:
        """A key that changes whenever A or b may have changed."""
        return tuple(version_of(tensor) for tensor in self.tensors())

    @property
    def in_size(self) -> int:
        """Number of unknowns."""
        return math.prod(self.in_shape)

    @property
    def out_size(self) -> int:
        """Number of equations."""
        return math.prod(self.out_shape)


class LinearMap(Affine):
    """z = A x with its true adjoint: <A u, v> = <u, A' v> up to rounding."""

    @property
    def linear(self) -> LinearMap:
        """The map itself."""
        return self

    @property
    def offset(self) -> None:
        """Always None: a linear map has no offset."""
        return

    def tensors(self) -> tuple[Tensor, ...]:
        """The live tensors that A is made from; empty for maps without parameters."""
        return ()

    @abstractmethod
    def _apply(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, v: Tensor) -> Tensor: ...

    def apply(self, x: Tensor) -> Tensor:
        """A x, ``(N, *in_shape)`` to ``(N, *out_shape)``."""
        check_event(x, self.in_shape, str(self))
        return self._apply(x)

    def adjoint(self, v: Tensor) -> Tensor:
        """A' v (the transpose, not the inverse), ``(N, *out_shape)`` to ``(N, *in_shape)``."""
        check_event(v, self.out_shape, f"the adjoint of {self}")
        return self._adjoint(v)

    def dense(self, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
        """The matrix of the map, ``(out_size, in_size)``.

        Cost: ``in_size`` applications and ``out_size * in_size`` numbers of memory; for small maps only.
        """
        device = device or next((t.device for t in self.tensors()), torch.device("cpu"))
        basis = torch.eye(self.in_size, dtype=dtype, device=device).view(-1, *self.in_shape)
        return self._apply(basis).flatten(1).T

    def __str__(self) -> str:
        return f"{type(self).__name__}({_shape(self.in_shape)} -> {_shape(self.out_shape)})"

    __repr__ = __str__


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "scalar"
