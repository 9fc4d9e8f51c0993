"""Mirror images of layers without weights to share: activations, reshapes, dropout, bijections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn
from torch.nn import functional

from preimage.bijection import Bijection
from preimage.domains import Interval, Reals
from preimage.errors import NotInvertibleError
from preimage.layers.elementwise.dip import Dip
from preimage.layers.surjection.one_sided import OneSided
from preimage.palindromes.mirror import Mirror

MARGIN = 1e-4
"""Distance to an open end of the range, relative to its length, that a mirrored activation keeps."""


@final
class BijectionMirror(Mirror):
    """A bijection and its inverse, or a one-sided map and its one-sided inverse.

    The second half may ask for the inverse of a value that the map never gives, such as the logit of 1.2: it
    is moved to the nearest value that is ``margin`` inside the range.

    Args:
        bijection: the map of one tensor to one tensor.
        margin: relative to the length of the range, or absolute where that is infinite.

    Raises:
        NotInvertibleError: the map takes or gives several tensors.

    Example:
        >>> import torch
        >>> from preimage.layers import Sigmoid
        >>> mirror = BijectionMirror(Sigmoid())
        >>> mirror.mirror(torch.tensor([[0.5, 1.2]]))
        tensor([[0.0000, 9.2101]])
    """

    def __init__(self, bijection: Bijection | OneSided, margin: float = MARGIN) -> None:
        super().__init__()
        if isinstance(bijection.domain, tuple) or isinstance(bijection.codomain, tuple):
            raise NotInvertibleError(
                f"palindrome: {type(bijection).__name__} has several inputs or outputs; wanted a map of one"
                " tensor, such as LeakyReLU or Asinh"
            )
        self.bijection = bijection
        self.low, self.high = _limits(bijection.codomain, margin)

    def forward(self, x: Tensor) -> Tensor:
        """The map."""
        return self.bijection(x)

    def mirror(self, y: Tensor) -> Tensor:
        """Its inverse on the nearest value of the range."""
        bounded = math.isfinite(self.low) or math.isfinite(self.high)
        return self.bijection.inverse(y.clamp(self.low, self.high) if bounded else y)


def _limits(codomain: object, margin: float) -> tuple[float, float]:
    if isinstance(codomain, Interval):
        length = codomain.high - codomain.low
        inset = 0.0 if codomain.closed else margin * (length if math.isfinite(length) else 1.0)
        return codomain.low + inset, codomain.high - inset
    if isinstance(codomain, Reals):
        return -math.inf, math.inf
    raise NotInvertibleError(
        f"palindrome: values of the range {codomain} cannot be taken from the second half, which gives any"
        " real number; wanted a range that is an interval"
    )


@final
class DipMirror(Mirror):
    """Swish or GELU, and the preimage on the rising side: a right inverse from the lowest value on.

    Args:
        dip: the map, whose branch bit is dropped.

    Example:
        >>> import torch
        >>> from preimage.layers import Swish
        >>> mirror = DipMirror(Swish())
        >>> torch.allclose(mirror(mirror.mirror(torch.tensor([[2.0, -0.1]]))), torch.tensor([[2.0, -0.1]]))
        True
    """

    def __init__(self, dip: Dip) -> None:
        super().__init__()
        self.dip = dip

    def forward(self, x: Tensor) -> Tensor:
        """The value alone."""
        return self.dip.value(x)[0]

    def mirror(self, y: Tensor) -> Tensor:
        """The preimage right of the lowest point; values below the range are lifted to just above it."""
        return self.dip.right(y.clamp_min(self.dip.lowest * (1 - MARGIN)))


@final
class RectifierMirror(Mirror):
    """ReLU opposite ReLU: a right inverse of the values from 0 on, the smallest in norm.

    Example:
        >>> import torch
        >>> RectifierMirror().mirror(torch.tensor([[-1.0, 2.0]]))
        tensor([[0., 2.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        """The positive part."""
        return functional.relu(x)

    def mirror(self, y: Tensor) -> Tensor:
        """The positive part."""
        return functional.relu(y)


@final
class ReshapeMirror(Mirror):
    """A module that only arranges numbers anew, such as Flatten, and the way back.

    Args:
        module: the module.
        input_shape: event shape of its input.

    Example:
        >>> import torch
        >>> ReshapeMirror(nn.Flatten(), (2, 3)).mirror(torch.zeros(5, 6)).shape
        torch.Size([5, 2, 3])
    """

    def __init__(self, module: nn.Module, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.module = module
        self.input_shape = tuple(input_shape)

    def forward(self, x: Tensor) -> Tensor:
        """The module."""
        return self.module(x)

    def mirror(self, y: Tensor) -> Tensor:
        """The shape that came in."""
        return y.reshape(len(y), *self.input_shape)


@final
class OneWay(Mirror):
    """A module for training only, such as dropout: the way back passes by it.

    Args:
        module: the identity in evaluation mode.

    Example:
        >>> import torch
        >>> OneWay(nn.Dropout(0.3)).mirror(torch.ones(1, 2))
        tensor([[1., 1.]])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """The module."""
        return self.module(x)

    def mirror(self, y: Tensor) -> Tensor:
        """y itself."""
        return y
