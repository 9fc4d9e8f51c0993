"""What a forward pass smoothed away, drawn anew: noise whose mean over a window is exactly zero."""

from __future__ import annotations

import abc
from typing import final

import torch
from torch import Tensor, nn

from preimage.errors import DomainError, ShapeError


class CentredNoise(nn.Module, abc.ABC):
    """Noise for windows of P positions in C channels whose mean over every window is 0.

    Fitted in a calibration phase; before, it is silent.

    Args:
        channels: C.
        positions: P, 3 or more.

    Example:
        >>> issubclass(IndependentNoise, CentredNoise)
        True
    """

    def __init__(self, channels: int, positions: int) -> None:
        super().__init__()
        if channels < 1 or positions < 3:
            raise ValueError(
                f"{type(self).__name__}: got {channels} channels and windows of {positions} positions, wanted"
                " 1 or more channels and 3 or more positions"
            )
        self.channels, self.positions = channels, positions

    @abc.abstractmethod
    def fit(self, residuals: Tensor) -> None:
        """Take over the statistics of residuals ``(M, C, P)`` that have mean 0 over P."""

    @abc.abstractmethod
    def sample(self, windows: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw noise for so many windows, ``(windows, C, P)``."""

    @abc.abstractmethod
    def deviation(self) -> Tensor:
        """Standard deviation of the noise at every position, ``(C, P)``."""

    def _check(self, residuals: Tensor) -> None:
        if residuals.dim() != 3 or tuple(residuals.shape[1:]) != (self.channels, self.positions):
            raise ShapeError(
                f"{type(self).__name__}: residuals are {tuple(residuals.shape)}, wanted"
                f" (M, {self.channels}, {self.positions})"
            )
        if len(residuals) < 2:
            raise DomainError(f"{type(self).__name__}: got {len(residuals)} residuals, wanted 2 or more")


@final
class IndependentNoise(CentredNoise):
    r"""Independent numbers minus their mean, :math:`n_p = v_p \epsilon_p - \frac1P \sum_q v_q \epsilon_q`.

    The v are chosen so that the standard deviation at every position is that of the data:
    :math:`v_p^2 = (\sigma_p^2 - V / P^2) / (1 - 2/P)` with :math:`V = \sum v^2 = \sum \sigma^2 / (1 - 1/P)`.
    A position with less than its share of the common part, :math:`\sigma_p^2 < V / P^2`, keeps that part.

    Reference: for equal deviations, :math:`v = \sigma \sqrt{P / (P - 1)}`; Kay (1993), Fundamentals of
    statistical signal processing, chapter 4, https://www.pearson.com/en-us/subject-catalog/p/P200000009261

    Args:
        channels: C.
        positions: P, 3 or more.

    Cost: O(C P) a window.

    Example:
        >>> noise = IndependentNoise(1, 4)
        >>> data = torch.randn(4000, 1, 4)
        >>> noise.fit(data - data.mean(2, keepdim=True))
        >>> drawn = noise.sample(1000, torch.Generator().manual_seed(0))
        >>> bool(drawn.mean(2).abs().max() < 1e-6), round(drawn.std().item(), 1)
        (True, 0.9)
    """

    scale: Tensor  # (C, P)

    def __init__(self, channels: int, positions: int) -> None:
        super().__init__(channels, positions)
        self.register_buffer("scale", torch.zeros(channels, positions))

    def fit(self, residuals: Tensor) -> None:
        """From the mean squares at every position."""
        self._check(residuals)
        wanted, p = residuals.double().square().mean(0), self.positions  # (C, P)
        whole = wanted.sum(1, keepdim=True) / (1 - 1 / p)
        self.scale = ((wanted - whole / p**2) / (1 - 2 / p)).clamp_min(0.0).sqrt().to(self.scale)

    def sample(self, windows: int, generator: torch.Generator | None = None) -> Tensor:
        """Scale, then subtract the mean over the window."""
        shape = (windows, self.channels, self.positions)
        noise = torch.randn(shape, generator=generator, dtype=self.scale.dtype, device=self.scale.device)
        noise = noise * self.scale
        return noise - noise.mean(2, keepdim=True)

    def deviation(self) -> Tensor:
        """What the formula above gives."""
        p, squares = self.positions, self.scale.square()
        return (squares * (1 - 2 / p) + squares.sum(1, keepdim=True) / p**2).sqrt()


@final
class CovariantNoise(CentredNoise):
    r"""Random mixtures of residuals that were seen, :math:`n = \frac{1}{\sqrt K} \sum_k w_k r_k`.

    With standard normal w the covariance is that of the K kept rows, over positions and channels together;
    mixtures of centred residuals are centred. More rows than K are folded into K by random signs, scaled so
    that every position keeps its standard deviation on average.

    Reference: Halko, Martinsson, Tropp (2011), Finding structure with randomness,
    https://doi.org/10.1137/090771806

    Args:
        channels: C.
        positions: P, 3 or more.
        rows: K, residuals kept.

    Cost: O(K C P) a window.

    Example:
        >>> noise = CovariantNoise(1, 4)
        >>> data = torch.randn(400, 1, 4)
        >>> noise.fit(data - data.mean(2, keepdim=True))
        >>> bool(noise.sample(10).mean(2).abs().max() < 1e-5)
        True
    """

    kept: Tensor  # (K, C, P)

    def __init__(self, channels: int, positions: int, rows: int = 256) -> None:
        super().__init__(channels, positions)
        self.rows = rows
        self.register_buffer("kept", torch.zeros(rows, channels, positions))

    def fit(self, residuals: Tensor) -> None:
        """Keep the residuals, or random sums of them."""
        self._check(residuals)
        mean = residuals.mean(0)
        rows = residuals - mean
        if len(rows) > self.rows:
            generator = torch.Generator().manual_seed(0)
            place = torch.arange(len(rows)) % self.rows
            sign = torch.randint(0, 2, (len(rows), 1, 1), generator=generator).to(rows) * 2 - 1
            folded = rows.new_zeros(self.rows, *rows.shape[1:]).index_add(
                0, place.to(rows.device), sign * rows
            )
            wanted, found = rows.square().sum((0, 2)), folded.square().sum((0, 2))
            rows = folded * (wanted / found.clamp_min(torch.finfo(rows.dtype).tiny)).sqrt()[:, None]
        filled = self.kept.new_zeros(self.kept.shape)
        filled[: len(rows)] = (rows * (self.rows / len(residuals)) ** 0.5).to(filled)
        self.kept = filled

    def sample(self, windows: int, generator: torch.Generator | None = None) -> Tensor:
        """Mix the rows."""
        weights = torch.randn(
            windows, self.rows, generator=generator, dtype=self.kept.dtype, device=self.kept.device
        )
        return (weights @ self.kept.flatten(1) / self.rows**0.5).unflatten(1, self.kept.shape[1:])

    def deviation(self) -> Tensor:
        """Root mean square of the rows."""
        return self.kept.square().mean(0).sqrt()
