"""Base class of linear maps of whole signals and pictures that keep the shape."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.certificate import Certificate, OnError
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import align_event


class SpatialLinear(Bijection, abc.ABC):
    r"""A linear map of signals or pictures ``(N, C, *sizes)``, :math:`y = A x + b`, with a shift per channel.

    Subclasses write ``convolve``, ``deconvolve`` and ``log_abs_det``; the last one depends on the sizes
    alone.

    Args:
        channels: C.
        dims: number of dimensions of space: 1 for signals, 2 for pictures, 3 for volumes.
        bias: whether there is a shift b, 0 at the start.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> class Twice(SpatialLinear):
        ...     def convolve(self, x):
        ...         return 2 * x
        ...     def deconvolve(self, y):
        ...         return y / 2
        ...     def log_abs_det(self, sizes):
        ...         return math.prod(sizes) * self.channels * torch.tensor(2.0).log()
        >>> import math
        >>> Twice(3, 2, bias=False).forward_and_log_det(torch.ones(1, 3, 4, 4))[1]
        tensor([33.2711])
    """

    def __init__(self, channels: int, dims: int, bias: bool) -> None:
        super().__init__()
        name = type(self).__name__
        if channels < 1:
            raise ValueError(f"{name}: channels is {channels}, wanted at least 1")
        if dims not in (1, 2, 3):
            raise ValueError(f"{name}: got {dims} dimensions of space, wanted 1, 2 or 3")
        self.channels, self.dims = channels, dims
        self.domain = self.codomain = Reals(channels, *[None] * dims)
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    @abc.abstractmethod
    def convolve(self, x: Tensor) -> Tensor:
        """A applied to x ``(N, C, *sizes)``."""

    @abc.abstractmethod
    def deconvolve(self, y: Tensor) -> Tensor:
        """The inverse of A applied to y ``(N, C, *sizes)``."""

    @abc.abstractmethod
    def log_abs_det(self, sizes: Sequence[int]) -> Tensor:
        """log abs det A for pictures of these sizes, a scalar."""

    def condition(self, sizes: Sequence[int]) -> Tensor | None:
        """The condition number of A for pictures of these sizes, a scalar; None where it is not known."""
        return None

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Convolve, then shift."""
        y = self.convolve(x)
        return (y if self.bias is None else y + align_event(self.bias, x)), self._log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Shift back, then deconvolve."""
        shifted = y if self.bias is None else y - align_event(self.bias, y)
        return self.deconvolve(shifted), -self._log_det(y)

    def certified_inverse(
        self, y: Any, context: Context = None, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        """As for every bijection, with the condition number of A in the certificate where it is known."""
        x, certificate = super().certified_inverse(y, context, tolerance=tolerance, on_error=on_error)
        with torch.no_grad():
            condition = self.condition(y.shape[2:])
        if condition is None:
            return x, certificate
        return x, replace(certificate, condition=condition.to(y.dtype).expand(len(certificate)))

    def _log_det(self, x: Tensor) -> Tensor:
        return self.log_abs_det(x.shape[2:]).to(x.dtype).expand(x.shape[0])


def kernel_sizes(where: str, kernel_size: int | Sequence[int]) -> tuple[int, ...]:
    """One size a dimension of space; a number k stands for ``(k, k)``.

    Args:
        where: the layer, for the message.
        kernel_size: what came.

    Raises:
        ValueError: a size is less than 1.

    Example:
        >>> kernel_sizes("here", 3), kernel_sizes("here", (5,))
        ((3, 3), (5,))
    """
    sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    if not sizes or min(sizes) < 1:
        raise ValueError(f"{where}: kernel_size is {kernel_size}, wanted positive numbers, such as 3 or (5,)")
    return sizes
