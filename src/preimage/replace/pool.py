"""Base class of replacements for pools over windows that touch."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from preimage.domains import Reals
from preimage.errors import DomainError, NonFiniteError
from preimage.layers.surjection.one_sided import OneSided, Side
from preimage.replace.windows import TouchingWindows


class PoolReplacement(OneSided, abc.ABC):
    """A pool whose inverse is estimated from data, and pools to y again whatever was estimated.

    ``inverse`` is deterministic: the best estimate. ``sample`` adds what pooling smoothed away, drawn anew.

    Args:
        channels: C.
        factors: size of the window along every axis of space, the whole map for a global pool.

    Example:
        >>> from preimage.replace import AveragePoolReplacement
        >>> issubclass(AveragePoolReplacement, PoolReplacement)
        True
    """

    def __init__(self, channels: int, factors: int | Sequence[int]) -> None:
        super().__init__()
        self.windows = TouchingWindows((factors, factors) if isinstance(factors, int) else factors)
        self.channels = channels
        pattern = Reals(channels, *[None] * len(self.windows.factors))
        self.domain, self.codomain = pattern, pattern

    @property
    def side(self) -> Side:
        """f(g(y)) = y."""
        return "right"

    @abc.abstractmethod
    def pool(self, windows: Tensor) -> Tensor:
        """One number a window and channel ``(M, C)`` for windows ``(M, C, P)``."""

    @abc.abstractmethod
    def estimate(self, rows: Tensor) -> Tensor:
        """The best windows ``(M, C, P)`` for pooled values ``(M, C)``."""

    @abc.abstractmethod
    def draw(self, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """Random windows ``(M, C, P)`` that look like the data."""

    @abc.abstractmethod
    def learn(self, windows: Tensor) -> None:
        """Fit to windows ``(M, C, P)``."""

    def forward_values(self, x: Tensor) -> Tensor:
        """The pool."""
        blocks = [size // factor for size, factor in zip(x.shape[2:], self.windows.factors, strict=True)]
        rows = self.pool(self.windows.cut(x))
        return rows.reshape(len(x), -1, self.channels).movedim(1, 2).reshape(len(x), self.channels, *blocks)

    def inverse_values(self, y: Tensor) -> Tensor:
        """The best estimate."""
        return self.windows.join(self.estimate(self.windows.rows(y)), y.shape[2:])

    def sample(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One of the maps that pool to y, with the variation that the data have.

        Args:
            y: pooled values ``(N, C, *blocks)``.
            generator: source of randomness; the global one by default.

        Returns:
            Tensor ``(N, C, *sizes)``.
        """
        y = self._checked("sample", "y", y, self.codomain)
        return self.windows.join(self.draw(self.windows.rows(y), generator), y.shape[2:])

    @torch.no_grad()
    def fit(self, stream: Iterable[Tensor]) -> None:
        """Fit to a stream of maps before pooling, the calibration phase.

        Args:
            stream: batches ``(N, C, *sizes)``; two windows or more in all.

        Raises:
            DomainError: the stream is empty.
            NonFiniteError: a value is NaN or infinite.
        """
        windows = [self.windows.cut(x.detach()) for x in stream]
        if sum(map(len, windows)) < 2:
            raise DomainError(f"{type(self).__name__}.fit: got fewer than two windows to learn from")
        found = torch.cat(windows)
        if not bool(found.isfinite().all()):
            raise NonFiniteError(f"{type(self).__name__}.fit: the calibration stream holds NaN or infinity")
        self.learn(found)

    def extra_repr(self) -> str:
        """Channels and window."""
        return f"channels={self.channels}, factors={self.windows.factors}"
