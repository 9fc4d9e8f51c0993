"""Base class of maps that treat every number by itself."""

from __future__ import annotations

import abc

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.event import sum_event


class Elementwise(Bijection, abc.ABC):
    r"""A map of every element by itself, :math:`y_i = f(x_i)`, so :math:`\text{log\_det} = \sum_i \log
    |f'(x_i)|`.

    Subclasses write two methods, each returning the values and the logarithm of the slope, and set ``domain``
    and ``codomain`` where these are not all real numbers. Everything else is derived.

    Example:
        >>> import torch
        >>> class Arsinh(Elementwise):
        ...     def forward_elements(self, x):
        ...         return x.asinh(), -0.5 * (x * x).log1p()
        ...     def inverse_elements(self, y):
        ...         return y.sinh(), y.cosh().log()
        >>> y, log_det = Arsinh().forward_and_log_det(torch.zeros(2, 3))
        >>> log_det
        tensor([0., 0.])
    """

    @abc.abstractmethod
    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y = f(x) and log abs f'(x); the second may have any shape that broadcasts to x."""

    @abc.abstractmethod
    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """x = f^-1(y) and log abs dx/dy; the second may have any shape that broadcasts to y."""

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Map every element and sum the log-slopes over the event."""
        y, log_slope = self.forward_elements(x)
        return y, sum_event(log_slope.expand_as(x))

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Map every element back and sum the log-slopes over the event."""
        x, log_slope = self.inverse_elements(y)
        return x, sum_event(log_slope.expand_as(y))
