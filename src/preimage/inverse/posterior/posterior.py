"""What is known of an input from its features: a mean, a spread, intervals and draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate
from preimage.errors import ShapeError
from preimage.inverse.preimages.question import Question
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.on_demand import OnDemand


Solve = Callable[..., tuple[Any, Certificate]]


class Interval(NamedTuple):
    """Two inputs ``(N, *event)`` between which each number lies with the probability that was asked for."""

    low: Values
    high: Values


class Posterior(ABC):
    """The distribution of x given y = f(x).

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``.
        tap: label, value or module path; the network's output when None.
        solve: moves draws to f(x) = y, as ``inverse.solve`` does, which is used when None.
    """

    _certificate: Certificate  # of the mean, which each kind of posterior finds in its own way

    def __init__(
        self, inverse: OnDemand, y: Values, tap: str | TapLike | None, solve: Solve | None = None
    ) -> None:
        self._inverse, self._y, self._tap = inverse, y, tap
        self._solve = inverse.solve if solve is None else solve
        self._question = Question(inverse, y, tap)

    @property
    @abstractmethod
    def mode(self) -> str:
        """What the distribution was learnt from, in one sentence."""

    @property
    def certificate(self) -> Certificate:
        """How far f(mean) is from y. The mean of a preimage need not be one of its members."""
        return self._certificate

    @property
    def mean(self) -> Values:
        """The best estimate, ``(N, *event)``."""
        return self._question.unpack(self._mean)

    @property
    def standard_deviation(self) -> Values:
        """Of each number around the mean, ``(N, *event)``."""
        return self._question.unpack(self._deviation)

    def interval(self, level: float = 0.9) -> Interval:
        """The range that holds each number with a given probability.

        Args:
            level: the probability, above 0 and below 1.

        Raises:
            DomainError: for another level.
        """
        half = self._half_width(level)
        return Interval(self._question.unpack(self._mean - half), self._question.unpack(self._mean + half))

    def draw(self, count: int, generator: torch.Generator | None = None) -> Values:
        """Inputs drawn from the distribution; f need not map them to y exactly.

        Args:
            count: draws for each y, at least 1.
            generator: of random numbers; PyTorch's own when None.

        Returns:
            ``(count * N, *event)``, the draws for the first y first.

        Raises:
            ShapeError: for a count below 1.
        """
        if count < 1:
            raise ShapeError(f"got count={count}; one draw at least was wanted")
        return self._question.unpack(self._drawn(count, generator))

    def sample(
        self,
        count: int,
        generator: torch.Generator | None = None,
        *,
        tol: float = 1e-4,
        max_products: int = 50,
    ) -> tuple[Values, Certificate]:
        """Inputs drawn from the distribution and then moved, as little as possible, until f(x) = y.

        Below a pool, or any other step that averages, this centres the noise: what was drawn changes each
        window and not its mean.

        Args:
            count: draws for each y, at least 1.
            generator: of random numbers; PyTorch's own when None.
            tol: relative residual ``|f(x) - y| / |y|`` of a solution.
            max_products: Jacobian products to spend on each sample.

        Returns:
            ``(count * N, *event)``, the draws for the first y first, and a certificate for each of them.
        """
        start = self.draw(count, generator)
        wanted = tuple(v.repeat_interleave(count, 0) for v in self._known)
        y = wanted if isinstance(self._y, tuple) else wanted[0]
        return self._solve(y, self._tap, start=start, tol=tol, max_products=max_products)

    @property
    def _known(self) -> tuple[Tensor, ...]:
        return self._y if isinstance(self._y, tuple) else (self._y,)

    @property
    @abstractmethod
    def _mean(self) -> Tensor:
        """All inputs as one tensor, ``(N, *packed)``."""

    @property
    @abstractmethod
    def _deviation(self) -> Tensor:
        """As the mean."""

    @abstractmethod
    def _half_width(self, level: float) -> Tensor:
        """Half the width of the interval, as the mean."""

    @abstractmethod
    def _drawn(self, count: int, generator: torch.Generator | None) -> Tensor:
        """Draws ``(count * N, *packed)``."""


def normal_numbers(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers, drawn on the generator's device and in the same way for every dtype."""
    device = like.device if generator is None else generator.device
    return torch.randn(shape, generator=generator, dtype=torch.float64, device=device).to(like)
