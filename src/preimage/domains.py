"""Where a map is defined: the shape and the set of values that a layer takes, and inputs to test it with."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from types import EllipsisType
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

Size = int | EllipsisType | None
EventShape = tuple[Size, ...]


class Domain(abc.ABC):
    """A set of tensors ``(N, *event)``: a pattern for the event shape and a condition on the values.

    The pattern lists the event dimensions in order: a number is a fixed size, ``None`` any size, and a final
    ``...`` any number of further dimensions. Without a pattern every event shape is allowed.

    Args:
        shape: the pattern, ``Reals(16)`` for vectors, ``Reals(3, None, None)`` for pictures of any size,
            ``Reals(16, ...)`` for 16 channels with anything behind them.

    Example:
        >>> Reals(3, None, None).fits((3, 32, 32)), Reals(3, ...).fits((4, 32, 32))
        (True, False)
    """

    restricts_values: ClassVar[bool] = True
    """Whether some floating-point values are outside; where not, no value is ever looked at."""

    def __init__(self, *shape: Size) -> None:
        self.shape: EventShape = shape or (...,)

    @property
    def open_ended(self) -> bool:
        """Whether further event dimensions may follow."""
        return self.shape[-1] is ...

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The pattern without a final ``...``."""
        return tuple(size for size in self.shape if not isinstance(size, EllipsisType))

    def fits(self, event_shape: Sequence[int]) -> bool:
        """Whether an event of this shape belongs to the domain."""
        rank_fits = len(event_shape) == len(self.fixed) or (
            self.open_ended and len(event_shape) > len(self.fixed)
        )
        return rank_fits and all(
            want is None or want == got for want, got in zip(self.fixed, event_shape, strict=False)
        )

    def describe_shape(self) -> str:
        """The pattern for people, such as ``(N, 3, *, *)``."""
        sizes = ["..." if size is ... else "*" if size is None else str(size) for size in self.shape]
        return f"(N, {', '.join(sizes)})"

    @abc.abstractmethod
    def outside(self, x: Tensor) -> Tensor:
        """Which elements lie outside, bool, of the shape of x. NaN is never outside: it stays NaN instead."""

    @abc.abstractmethod
    def violation(self, x: Tensor) -> Tensor:
        """Distance of every element from the set, 0 inside, of the shape of x."""

    @abc.abstractmethod
    def squash(self, real: Tensor) -> Tensor:
        """Some element of the set for every real number: how test inputs are made from a normal sample."""

    @abc.abstractmethod
    def edges(self, dtype: torch.dtype) -> Tensor:
        """The outermost representable values of the set, and zero where it belongs, as a vector."""

    @abc.abstractmethod
    def __str__(self) -> str:
        """The set in words."""

    @property
    @abc.abstractmethod
    def constraint(self) -> constraints.Constraint:
        """The same set, for torch.distributions."""

    def sample(
        self,
        batch: int,
        free: Sequence[int] = (),
        *,
        dtype: torch.dtype = torch.float64,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """A batch of elements to test with.

        Args:
            batch: number of rows N.
            free: sizes for the ``None`` and ``...`` places of the pattern, in order.
            dtype: dtype of the result.
            generator: source of randomness; the global one by default.

        Returns:
            Tensor ``(N, *event)``.

        Example:
            >>> Interval(0, 1, 3, ...).sample(2, free=(5,)).shape
            torch.Size([2, 3, 5])
        """
        rest = list(free)
        event = [rest.pop(0) if size is None else size for size in self.fixed]
        shape = (batch, *event, *(rest if self.open_ended else ()))
        return self.squash(torch.randn(shape, dtype=dtype, generator=generator))


class Reals(Domain):
    """Every number: no value is refused.

    Example:
        >>> str(Reals())
        'all real numbers'
    """

    restricts_values = False

    def outside(self, x: Tensor) -> Tensor:
        """Nothing."""
        return torch.zeros_like(x, dtype=torch.bool)

    def violation(self, x: Tensor) -> Tensor:
        """Zeros."""
        return torch.zeros_like(x)

    def squash(self, real: Tensor) -> Tensor:
        """The number itself."""
        return real

    def edges(self, dtype: torch.dtype) -> Tensor:
        """Zero, the smallest normal and subnormal numbers, and numbers of order 1e6."""
        tiny = torch.finfo(dtype).tiny
        return torch.tensor([0.0, -0.0, tiny, -tiny, tiny / 4, -tiny / 4, 1e6, -1e6], dtype=dtype)

    def __str__(self) -> str:
        return "all real numbers"

    @property
    def constraint(self) -> constraints.Constraint:
        """``constraints.real``."""
        return constraints.real


class Interval(Domain):
    """The numbers between two bounds, open unless ``closed``; a bound may be infinite.

    Args:
        low: lower bound, or ``-math.inf``.
        high: upper bound, above ``low``, or ``math.inf``.
        shape: pattern of the event, see :class:`Domain`.
        closed: whether the bounds belong to the set.

    Example:
        >>> import torch
        >>> Interval(0, 1).outside(torch.tensor([0.0, 0.5, 2.0]))
        tensor([ True, False,  True])
    """

    def __init__(self, low: float, high: float, *shape: Size, closed: bool = False) -> None:
        super().__init__(*shape)
        self.low, self.high, self.closed = float(low), float(high), closed

    def outside(self, x: Tensor) -> Tensor:
        """Beyond a bound, or on an open one."""
        if self.closed:
            return (x < self.low) | (x > self.high)
        return (x <= self.low) | (x >= self.high)

    def violation(self, x: Tensor) -> Tensor:
        """Distance to the nearer bound; the smallest normal number on an open bound itself."""
        distance = torch.maximum(self.low - x, x - self.high).clamp_min(torch.finfo(x.dtype).tiny)
        distance = distance.nan_to_num(nan=math.inf)  # infinity, on an infinite bound
        return torch.where(self.outside(x), distance, torch.zeros_like(x))

    def squash(self, real: Tensor) -> Tensor:
        """A logistic map onto a bounded interval, softplus onto a half-line."""
        if math.isinf(self.low) and math.isinf(self.high):
            return real
        if math.isinf(self.high):
            return self.low + torch.nn.functional.softplus(real)
        if math.isinf(self.low):
            return self.high - torch.nn.functional.softplus(real)
        return self.low + (self.high - self.low) * torch.sigmoid(real)

    def edges(self, dtype: torch.dtype) -> Tensor:
        """The bounds, or their neighbours where they are open; 0 where inside; order 1e6 towards infinity."""
        bounds = torch.tensor([self.low, self.high], dtype=dtype)
        inner = bounds if self.closed else torch.nextafter(bounds, bounds.flip(0))
        inner = torch.where(bounds.isinf(), bounds.sign() * 1e6, inner)
        zero = torch.zeros(1, dtype=dtype)
        return inner if self.outside(zero).item() else torch.cat([inner, zero])

    def __str__(self) -> str:
        brackets = "[]" if self.closed else "()"
        kind = "closed" if self.closed else "open"
        return f"the {kind} interval {brackets[0]}{self.low:g}, {self.high:g}{brackets[1]}"

    @property
    def constraint(self) -> constraints.Constraint:
        """The interval of torch.distributions, which does not tell open from closed."""
        if math.isinf(self.low) and math.isinf(self.high):
            return constraints.real
        if math.isinf(self.high):
            return constraints.greater_than(self.low)
        if math.isinf(self.low):
            return constraints.less_than(self.high)
        return constraints.interval(self.low, self.high)
