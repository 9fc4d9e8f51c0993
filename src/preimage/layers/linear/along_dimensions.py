"""A map of the features, applied along other dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.errors import ShapeError

Direction = Callable[[Tensor], tuple[Tensor, Tensor]]


class AlongDimensions(Bijection):
    r"""Run a map of features along other dimensions, whose positions become its features.

    ``AlongDimensions(WoodburyLinear(64, 4), 3)`` mixes the columns of pictures ``(N, C, H, 64)`` in the same
    way for every channel and row; ``AlongDimensions(WoodburyLinear(32 * 32, 8), (2, 3))`` mixes all positions
    in the same way for every channel.

    Reference: Lu, Huang (2020), Woodbury transformations for deep generative flows,
    https://arxiv.org/abs/2002.12229

    Args:
        layer: a bijection of ``(N, F, ...)``, such as any :class:`~preimage.layers.FeatureLinear`.
        dims: one or more dimensions of x, counted from the front, 1 or more; their sizes multiply to F.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Raises:
        ValueError: a dimension is 0, negative, or named twice.
        ShapeError: x has too few dimensions, or of other sizes.

    Cost: that of the layer, and two copies of x.

    Example:
        >>> import torch
        >>> from preimage.layers import LULinear
        >>> AlongDimensions(LULinear(5), 3)(torch.ones(2, 3, 4, 5)).shape
        torch.Size([2, 3, 4, 5])
    """

    def __init__(self, layer: Bijection, dims: int | Sequence[int]) -> None:
        super().__init__()
        self.dims = (dims,) if isinstance(dims, int) else tuple(dims)
        if not self.dims or min(self.dims) < 1 or len(set(self.dims)) < len(self.dims):
            raise ValueError(f"AlongDimensions: dims are {self.dims}, wanted different ones from 1 upwards")
        self.layer = layer

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The layer, along the dimensions."""
        return self._run(self.layer.forward_and_log_det, x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Its inverse, along the dimensions."""
        return self._run(self.layer.inverse_and_log_det, y)

    def extra_repr(self) -> str:
        """The dimensions."""
        return f"dims={self.dims}"

    def _run(self, run: Direction, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.dim() <= max(self.dims):
            raise ShapeError(
                f"AlongDimensions: the input has shape {tuple(x.shape)}, wanted a dimension {max(self.dims)}"
            )
        front = tuple(range(1, len(self.dims) + 1))
        moved = x.movedim(self.dims, front)  # (N, *along, *rest)
        sizes = moved.shape[1 : len(self.dims) + 1]
        rows = moved.reshape(x.shape[0], math.prod(sizes), *moved.shape[len(self.dims) + 1 :])
        y, log_det = run(rows)
        return y.unflatten(1, sizes).movedim(front, self.dims), log_det
