"""Parameters of a small layer as one vector, which a context may move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.layers.residual.lipschitz_network import as_context, embedding


class ConditionedVector(nn.Module):
    """Several vectors of parameters; a context vector moves them linearly.

    Args:
        sizes: the length of each vector.
        context: size of the context, 0 for none.
        deviation: standard deviation at the start.
    """

    def __init__(self, sizes: Sequence[int], context: int = 0, deviation: float = 0.1) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.base = nn.Parameter(deviation * torch.randn(sum(sizes)))
        self.context = embedding(context, sum(sizes))

    def forward(self, context: Context) -> tuple[Tensor, ...]:
        """The vectors, each ``(1, size)``, or ``(N, size)`` with a context."""
        if self.context is None:
            moved = self.base[None]
        else:
            moved = self.base + 0.1 * self.context(as_context(context))  # (N, sum of sizes)
        return moved.split(self.sizes, dim=1)


def event_shape(where: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    """A shape as a tuple of positive numbers.

    Args:
        where: the layer, for the message.
        shape: a number of features, or a shape.

    Raises:
        ValueError: a size is not positive.
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if not sizes or min(sizes) < 1:
        raise ValueError(f"{where}: shape is {shape}, wanted positive sizes, such as 8 or (3, 8, 8)")
    return sizes


def numel(shape: Sequence[int]) -> int:
    """How many numbers a shape holds."""
    return math.prod(list(shape))
