"""A layer with its mirror image: what a palindromic network is made of."""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mirror(nn.Module, abc.ABC):
    """A layer f of the first half of a palindrome, with the layer g that stands opposite in the second half.

    ``forward`` is f and ``mirror`` is g; how far g(f(x)) is from x, and f(g(y)) from y, depends on the class.

    Example:
        >>> class Double(Mirror):
        ...     def forward(self, x):
        ...         return 2 * x
        ...     def mirror(self, y):
        ...         return y / 2
        >>> Double().mirror(Double()(torch.ones(1, 2)))
        tensor([[1., 1.]])
    """

    @abc.abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """f(x), ``(N, *in)`` to ``(N, *out)``."""

    @abc.abstractmethod
    def mirror(self, y: Tensor) -> Tensor:
        """g(y), ``(N, *out)`` to ``(N, *in)``."""

    def gram(self) -> Tensor | None:
        """The product of both weights on the smaller side, the identity where the mirror is an inverse.

        None for a layer without a weight matrix.
        """
        return None


class DenseMirror(Mirror, abc.ABC):
    r"""A dense layer :math:`y = W x + b` with the mirror image :math:`x = V (y - b)`; subclasses choose V.

    Args:
        linear: the layer, whose parameters are shared.

    Example:
        >>> issubclass(DenseMirror, Mirror)
        True
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    @property
    def weight(self) -> Tensor:
        """W ``(out, in)``."""
        return self.linear.weight

    @property
    def bias(self) -> Tensor | None:
        """b ``(out,)``, added by f and subtracted by g."""
        return self.linear.bias

    @abc.abstractmethod
    def mirror_weight(self) -> Tensor:
        """V ``(in, out)``."""

    def forward(self, x: Tensor) -> Tensor:
        """W x + b along the last axis."""
        return functional.linear(x, self.weight, self.bias)  # (N, ..., out)

    def mirror(self, y: Tensor) -> Tensor:
        """V (y - b) along the last axis."""
        shifted = y if self.bias is None else y - self.bias
        return functional.linear(shifted, self.mirror_weight())  # (N, ..., in)

    def gram(self) -> Tensor:
        """W V where the layer contracts, V W where it expands."""
        weight, back = self.weight, self.mirror_weight()
        return weight @ back if weight.shape[0] <= weight.shape[1] else back @ weight


def deviation(gram: Tensor) -> Tensor:
    r"""How far a product of weights is from the identity: mean of :math:`|V W - I|`.

    Example:
        >>> deviation(torch.eye(3)).item()
        0.0
    """
    return (gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().mean()


def without_bias(bias: Tensor | None, y: Tensor) -> Tensor:
    """y minus the bias of every channel, ``(N, C, ...)``."""
    return y if bias is None else y - bias.view(-1, *[1] * (y.dim() - 2))
