"""One linear map after another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import final

from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import Affine, LinearMap, Shape


def check_chain(parts: Sequence[Affine]) -> None:
    """Raise a ShapeError unless each part takes what the part before it returns."""
    if not parts:
        raise ShapeError("an empty composition has no shape; use Identity(shape)")
    for before, after in itertools.pairwise(parts):
        if before.out_shape != after.in_shape:
            raise ShapeError(f"{after} cannot follow {before}: {after.in_shape} is not {before.out_shape}")


@final
class Composition(LinearMap):
    """z = A_k ... A_2 A_1 x; the parts are given in the order in which they act.

    Args:
        parts: the maps, first acting first; nested compositions are flattened.

    Raises:
        ShapeError: when neighbours do not fit.

    Example:
        >>> import torch
        >>> from preimage.inverse.linear.dense import Dense
        >>> Composition([Dense(torch.ones(2, 3)), Dense(torch.ones(1, 2))]).apply(torch.ones(1, 3))
        tensor([[6.]])
    """

    def __init__(self, parts: Sequence[LinearMap]) -> None:
        flat: list[LinearMap] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Composition) else [part])
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

    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of all parts."""
        return tuple(tensor for part in self.parts for tensor in part.tensors())

    def _apply(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part.apply(x)
        return x

    def _adjoint(self, v: Tensor) -> Tensor:
        for part in reversed(self.parts):
            v = part.adjoint(v)
        return v

    def __str__(self) -> str:
        return " > ".join(map(str, self.parts))
