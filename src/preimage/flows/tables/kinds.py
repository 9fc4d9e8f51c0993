"""Columns of numbers."""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from preimage.errors import DomainError, ShapeError
from preimage.flows.tables.column import Column

EDGE = 1e-3  # share of a bin that stays empty at either end of it


class Number(Column, abc.ABC):
    """A column of numbers; the codes are the numbers themselves, standardised.

    Args:
        name: of the column.
        center: number that becomes 0.
        scale: positive number that becomes the unit.
    """

    def __init__(self, name: str, center: float = 0.0, scale: float = 1.0) -> None:
        super().__init__(name)
        if not 0 < scale < math.inf or not math.isfinite(center):
            raise ValueError(
                f"{self._where()}: center {center}, scale {scale}, wanted a number and a positive one"
            )
        self.center, self.scale = float(center), float(scale)

    @abc.abstractmethod
    def check(self, values: np.ndarray) -> None:
        """Refuse values that the column cannot hold."""

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Centre and scale, in float64: large offsets would cost float32 its digits."""
        try:
            numbers = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ShapeError(
                f"{self._where()}: holds {values.dtype}, wanted numbers; use Category"
            ) from error
        self.check(numbers)
        return (numbers - self.center) / self.scale

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Back to the units of the data."""
        return codes * self.scale + self.center

    def plain(self) -> dict[str, Any]:
        """Centre and scale."""
        return {"center": self.center, "scale": self.scale}

    def _where(self) -> str:
        return f"{type(self).__name__} column {self.name!r}"

    def _refuse(self, wrong: np.ndarray, values: np.ndarray, wanted: str) -> None:
        if wrong.any():
            example = values[wrong][0]
            raise DomainError(
                f"{self._where()}: {int(wrong.sum())} of {len(values)} values, such as {example:.6g}, are not"
                f" {wanted}"
            )

    def _unit(self, like: Tensor) -> Tensor:
        """The log-weight of the standardisation ``(N,)``, so that densities are per unit of the data."""
        return like.new_full((like.shape[0],), -math.log(self.scale))


class Real(Number):
    """Any numbers.

    Reference: Papamakarios et al. (2021), https://arxiv.org/abs/1912.02762

    Args:
        name: of the column.
        center: number that becomes 0.
        scale: positive number that becomes the unit.

    Raises:
        DomainError: a value is infinite.

    Example:
        >>> Real("height", center=170.0, scale=10.0).lift(torch.tensor([0.5]))[0]
        tensor([[0.5000]])
    """

    def check(self, values: np.ndarray) -> None:
        """Refuse infinity."""
        self._refuse(~np.isfinite(values), values, "finite")

    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The number itself."""
        return code[:, None], self._unit(code)

    def lower(self, y: Tensor) -> Tensor:
        """The number itself."""
        return y[:, 0]


class Positive(Number):
    r"""Positive numbers, through the logarithm, :math:`y = \log(x / s)`.

    Reference: Papamakarios et al. (2021), https://arxiv.org/abs/1912.02762

    Args:
        name: of the column.
        scale: positive number of the typical size of the values.

    Raises:
        DomainError: a value is not positive and finite.

    Example:
        >>> Positive("income").lift(torch.tensor([1.0]))[0]
        tensor([[0.]])
    """

    def __init__(self, name: str, scale: float = 1.0) -> None:
        super().__init__(name, 0.0, scale)

    def check(self, values: np.ndarray) -> None:
        """Refuse zero, negative numbers and infinity."""
        self._refuse(~((values > 0) & np.isfinite(values)), values, "positive and finite")

    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithm."""
        y = code.log()
        return y[:, None], self._unit(code) - y

    def condition(self, code: Tensor) -> Tensor:
        """The logarithm."""
        return code.log()[:, None]

    def lower(self, y: Tensor) -> Tensor:
        """The exponential, never 0 or infinite."""
        limits = torch.finfo(y.dtype)
        return y[:, 0].clamp(math.log(limits.tiny), math.log(limits.max) - 1).exp()

    def plain(self) -> dict[str, Any]:
        """The scale."""
        return {"scale": self.scale}


class Bounded(Number):
    r"""Numbers between two bounds, through the logit, :math:`y = \log\frac{x - l}{h - x}`.

    Reference: Papamakarios et al. (2021), https://arxiv.org/abs/1912.02762

    Args:
        name: of the column.
        low: bound below all values.
        high: bound above all values.

    Raises:
        ValueError: the bounds are not finite and in order.
        DomainError: a value is not strictly between them.

    Example:
        >>> Bounded("share", 0.0, 1.0).lift(torch.tensor([0.5]))[0]
        tensor([[0.]])
    """

    def __init__(self, name: str, low: float, high: float) -> None:
        if not -math.inf < low < high < math.inf:
            raise ValueError(
                f"Bounded column {name!r}: got {low} and {high}, wanted finite bounds, the lower first"
            )
        super().__init__(name, low, high - low)
        self.low, self.high = float(low), float(high)

    def check(self, values: np.ndarray) -> None:
        """Refuse values on the bounds and outside."""
        wanted = f"strictly between {self.low:g} and {self.high:g}; widen the bounds"
        self._refuse(~((values > self.low) & (values < self.high)), values, wanted)

    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The logit."""
        limits = torch.finfo(code.dtype)
        code = code.clamp(limits.tiny, 1 - limits.eps)
        return torch.logit(code)[:, None], self._unit(code) - code.log() - torch.log1p(-code)

    def lower(self, y: Tensor) -> Tensor:
        """The logistic function, strictly between 0 and 1."""
        limits = torch.finfo(y.dtype)
        return torch.sigmoid(y[:, 0]).clamp(limits.tiny, 1 - limits.eps)

    def plain(self) -> dict[str, Any]:
        """The bounds."""
        return {"low": self.low, "high": self.high}


class Whole(Number):
    r"""Whole numbers, spread uniformly over their bins, :math:`y = (x + u - c) / s`.

    The log-density of such a row is a bound of its log-probability.

    Reference: Theis, van den Oord, Bethge (2016), https://arxiv.org/abs/1511.01844

    Args:
        name: of the column.
        center: number that becomes 0.
        scale: positive number that becomes the unit.
        low: smallest number that samples may have; none by default.
        high: largest number that samples may have; none by default.

    Raises:
        DomainError: a value is not whole, or outside of the bounds.

    Example:
        >>> column = Whole("children", low=0)
        >>> column.lower(column.lift(torch.tensor([3.0]))[0])
        tensor([3.])
    """

    exact: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        center: float = 0.0,
        scale: float = 1.0,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        super().__init__(name, round(center), scale)
        self.low, self.high = low, high

    def check(self, values: np.ndarray) -> None:
        """Refuse broken numbers and those outside of the bounds."""
        self._refuse(values != np.round(values), values, "whole; use Real")
        low, high = self._bounds()
        self._refuse((values < low) | (values > high), values, f"between {low:g} and {high:g}")

    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Add a uniform part of a bin."""
        # Not quite to the edges of the bin, where rounding could lead into the next one.
        u = EDGE + (1 - 2 * EDGE) * torch.rand_like(code)
        return (code + u / self.scale)[:, None], self._unit(code) + math.log1p(-2 * EDGE)

    def lower(self, y: Tensor) -> Tensor:
        """Round down to a whole number, within the bounds."""
        whole = torch.floor(y[:, 0] * self.scale) + self.center
        low, high = self._bounds()
        return (whole.clamp(low, high) - self.center) / self.scale

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Whole numbers."""
        return np.round(super().decode(codes)).astype(np.int64)

    def plain(self) -> dict[str, Any]:
        """Centre, scale and bounds."""
        return super().plain() | {"low": self.low, "high": self.high}

    def _bounds(self) -> tuple[float, float]:
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
