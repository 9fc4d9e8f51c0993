"""Affine maps: a linear map with an offset, batch normalisation in evaluation mode, and their composition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import Affine, LinearMap, Shape
from preimage.inverse.linear.composition import Composition, check_chain
from preimage.inverse.linear.scale import Scale


@final
class AffineMap(Affine):
    """z = A x + b.

    Args:
        linear: A.
        offset: b, broadcastable to the event shape of z, such as ``(C, 1, 1)``; a reference. None for zero.

    Example:
        >>> import torch
        >>> from preimage.inverse.linear.dense import Dense
        >>> AffineMap(Dense(torch.eye(2)), torch.tensor([1.0, 2.0])).apply(torch.zeros(1, 2))
        tensor([[1., 2.]])
    """

    def __init__(self, linear: LinearMap, offset: Tensor | None = None) -> None:
        self._linear = linear
        self._offset = offset

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self._linear.in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return self._linear.out_shape

    @property
    def linear(self) -> LinearMap:
        """A."""
        return self._linear

    @property
    def offset(self) -> Tensor | None:
        """The offset b."""
        return self._offset

    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of A, and b."""
        return self._linear.tensors() + (() if self._offset is None else (self._offset,))

    def __str__(self) -> str:
        return f"{self._linear} + offset"


@final
class BatchNorm(Affine):
    """z = weight (x - mean) / sqrt(variance + eps) + bias per channel: evaluation-mode batch normalisation.

    Reference: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167.

    Args:
        shape: event shape ``(C, *)``.
        mean, variance: running statistics ``(C,)``; references.
        weight, bias: ``(C,)`` or None.
        eps: the number added to the variance.

    Example:
        >>> import torch
        >>> norm = BatchNorm((1, 2), torch.tensor([1.0]), torch.tensor([4.0]), eps=0.0)
        >>> norm.apply(torch.tensor([[[1.0, 5.0]]]))
        tensor([[[0., 2.]]])
    """

    def __init__(
        self,
        shape: Shape,
        mean: Tensor,
        variance: Tensor,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        eps: float = 1e-5,
    ) -> None:
        self._shape = tuple(shape)
        self.mean, self.variance, self.weight, self.bias, self.eps = mean, variance, weight, bias, eps

    @property
    def in_shape(self) -> Shape:
        """``(C, *)``."""
        return self._shape

    @property
    def out_shape(self) -> Shape:
        """``(C, *)``."""
        return self._shape

    def _gain(self) -> Tensor:
        gain = (self.variance.detach().double() + self.eps).rsqrt()
        return gain if self.weight is None else gain * self.weight.detach().double()

    def _per_channel(self, values: Tensor) -> Tensor:
        return values.view(-1, *[1] * (len(self._shape) - 1))

    @property
    def linear(self) -> LinearMap:
        """The diagonal of gains, in float64; a snapshot."""
        return Scale(self._per_channel(self._gain()), self._shape)

    @property
    def offset(self) -> Tensor:
        """The offset ``bias - gain * mean``, ``(C, 1, ...)`` in float64; a snapshot."""
        shift = -self._gain() * self.mean.detach().double()
        return self._per_channel(shift if self.bias is None else shift + self.bias.detach().double())

    def tensors(self) -> tuple[Tensor, ...]:
        """Statistics and parameters."""
        return tuple(t for t in (self.mean, self.variance, self.weight, self.bias) if t is not None)

    def __str__(self) -> str:
        return f"BatchNorm({'x'.join(map(str, self._shape))})"


@final
class AffineComposition(Affine):
    """Affine maps one after another; A and b are collected afresh whenever they are asked for.

    Args:
        parts: the maps, first acting first.

    Raises:
        ShapeError: when neighbours do not fit.

    Example:
        >>> import torch
        >>> from preimage.inverse.linear.dense import Dense
        >>> step = AffineMap(Dense(torch.eye(1) * 2), torch.tensor([1.0]))
        >>> AffineComposition([step, step]).apply(torch.zeros(1, 1))
        tensor([[3.]])
    """

    def __init__(self, parts: Sequence[Affine]) -> None:
        flat: list[Affine] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, AffineComposition) else [part])
        check_chain(flat)
        self.parts = tuple(flat)

    @property
    def in_shape(self) -> Shape:
        """Shape of x."""
        return self.parts[0].in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z."""
        return self.parts[-1].out_shape

    @property
    def linear(self) -> LinearMap:
        """The composition of the linear parts."""
        return Composition([part.linear for part in self.parts])

    @property
    def offset(self) -> Tensor | None:
        """The image of zero, with the full event shape of z; None when every part is linear."""
        if all(part.offset is None for part in self.parts):
            return None
        device = next((t.device for t in self.tensors()), torch.device("cpu"))
        with torch.no_grad():
            return self.apply(torch.zeros(1, *self.in_shape, dtype=torch.float64, device=device))[0]

    def apply(self, x: Tensor) -> Tensor:
        """All parts in turn."""
        for part in self.parts:
            x = part.apply(x)
        return x

    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of all parts."""
        return tuple(tensor for part in self.parts for tensor in part.tensors())

    def __str__(self) -> str:
        return " > ".join(map(str, self.parts))
