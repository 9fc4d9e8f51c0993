"""Networks with a known Lipschitz constant: what residual layers are made of."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from preimage.checks import Context, as_tuple, unpack
from preimage.domains import Domain, Reals


class LipschitzNetwork(nn.Module, abc.ABC):
    r"""A network g with :math:`\|g(x) - g(x')\| \le c\,\|x - x'\|` for some norm, whatever its parameters.

    Args:
        bound: the constant c, positive.
        domain: what comes in and goes out: the same shapes.
        context_domain: what the context looks like, None where there is none.

    Example:
        >>> from preimage.layers import LipschitzMLP
        >>> network = LipschitzMLP(3, bound=0.9)
        >>> network.bound, network(torch.zeros(5, 3)).shape
        (0.9, torch.Size([5, 3]))
    """

    def __init__(self, bound: float, domain: Domain, context_domain: Domain | None = None) -> None:
        super().__init__()
        if not 0 < bound < math.inf:
            raise ValueError(
                f"{type(self).__name__}: bound is {bound}, wanted a positive number, such as 0.97"
            )
        self.bound, self.domain, self.context_domain = bound, domain, context_domain

    @abc.abstractmethod
    def prepare(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The function g at this context, with everything computed that does not depend on x.

        The function takes rows in multiples of those of the context: row i belongs to sample i modulo N.
        """

    def forward(self, x: Tensor, context: Context = None) -> Tensor:
        """g(x) of the shape of x."""
        return self.prepare(context)(x)


class AssumedLipschitz(LipschitzNetwork):
    """Any module, with a Lipschitz constant on the word of the user.

    If the word is wrong, no inverse is: what does not solve the equation is NaN, and not certified. But then
    the equation may have several solutions, and any of them is returned: a certificate tells that f(x) = y,
    not that no other x does.

    Reference: Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), https://arxiv.org/abs/1811.00995

    Args:
        network: module from ``(N, *event)`` to the same shape, rows independent of each other, called with
            the context as second argument where there is one. Called with several times as many rows.
        bound: its constant, positive.
        domain: what it takes.
        context_domain: what the context looks like, None where there is none.

    Cost: that of the network.

    Example:
        >>> network = AssumedLipschitz(nn.Tanh(), 1.0)
        >>> network(torch.zeros(1, 2))
        tensor([[0., 0.]])
    """

    def __init__(
        self,
        network: nn.Module,
        bound: float,
        domain: Domain | None = None,
        context_domain: Domain | None = None,
    ) -> None:
        super().__init__(bound, domain or Reals(), context_domain)
        self.network = network

    def prepare(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The module itself."""
        if context is None:
            return self.network
        return lambda x: self.network(x, repeat_rows(context, x.shape[0]))


def repeat_rows(tensors: Any, rows: int) -> Any:
    """Every tensor ``(N, ...)`` repeated to so many rows, a multiple of N, in the order of ``Tensor.repeat``.

    Args:
        tensors: a tensor, or a tuple of tensors.
        rows: the number of rows that is wanted.
    """
    return unpack(_repeat(tensor, rows) for tensor in as_tuple(tensors))


def _repeat(tensor: Tensor, rows: int) -> Tensor:
    n = tensor.shape[0]
    return tensor if rows == n else tensor.repeat(rows // n, *[1] * (tensor.dim() - 1))


def capped(weight: Tensor, norm: Tensor, bound: float) -> Tensor:
    """A weight, made smaller where its norm is above the bound.

    Args:
        weight: any shape.
        norm: its norm, or an upper bound of it, ``()``.
        bound: what the norm shall not exceed.
    """
    return weight * (bound / norm.clamp_min(bound))


def conditioned(h: Tensor, embedded: Tensor | None) -> Tensor:
    """A hidden layer plus what the context adds to its channels.

    Args:
        h: ``(K * N, H, ...)``.
        embedded: ``(N, H)``, or None.
    """
    if embedded is None:
        return h
    rows = repeat_rows(embedded, h.shape[0])
    return h + rows.view(*rows.shape, *[1] * (h.dim() - 2))


def embedding(context: int, channels: int) -> nn.Linear | None:
    """The linear map from a context vector to the channels of a hidden layer; None without a context."""
    return nn.Linear(context, channels, bias=False) if context else None


def vector_domain(size: int) -> Reals | None:
    """The domain of vectors of a size; None for size 0."""
    return Reals(size) if size else None


def as_context(context: Context) -> Tensor:
    """A context that is known to be one tensor."""
    if not isinstance(context, Tensor):
        raise TypeError(f"got a context of type {type(context).__name__}, wanted one tensor")
    return context


def function_of_rows(function: Callable[[Tensor], Tensor], event: torch.Size) -> Callable[[Tensor], Tensor]:
    """The same function on flattened events ``(N, D)``.

    Args:
        function: on ``(N, *event)``.
        event: the shape of an event.
    """
    return lambda flat: function(flat.reshape(flat.shape[0], *event)).flatten(1)
