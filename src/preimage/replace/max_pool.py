"""Max pools, local and global, with learnt places and learnt smaller values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.replace.pool import PoolReplacement


@final
class MaxPoolReplacement(PoolReplacement):
    r"""A maximum over windows; its inverse puts y at one place and something at most y at the others.

    ``inverse`` takes the place where the maximum stands most often, channel by channel, and at the others
    the least-squares line :math:`c_p + d_p y`, capped at y. ``sample`` draws the place from the frequencies
    and the others from a normal law around that line, mirrored at y. ``inverse_at`` takes the places as side
    information. All three pool to y. Before :meth:`fit`, y is fanned out.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, https://arxiv.org/abs/2007.02731

    Args:
        channels: C.
        factors: size of the window along every axis of space; the whole map for a global pool.

    Returns:
        forward: pooled values; inverse: the map.

    Raises:
        ShapeError: a size is not a multiple of its factor.

    Cost: O(C P) a window.

    Example:
        >>> pool = MaxPoolReplacement(3, (4, 4))
        >>> x = torch.randn(50, 3, 4, 4)
        >>> pool.fit([x])
        >>> y = pool(x)
        >>> torch.equal(pool(pool.inverse(y)), y), torch.equal(pool(pool.sample(y)), y)
        (True, True)
        >>> found = pool.inverse_at(y, pool.places(x))
        >>> torch.equal(pool.places(found), pool.places(x))
        True
    """

    frequency: Tensor  # (C, P)
    offset: Tensor  # (C, P)
    slope: Tensor  # (C, P)
    spread: Tensor  # (C, P)

    def __init__(self, channels: int, factors: int | Sequence[int]) -> None:
        super().__init__(channels, factors)
        shape = (channels, self.windows.positions)
        self.register_buffer("frequency", torch.full(shape, 1.0 / shape[1]))
        self.register_buffer("offset", torch.zeros(shape))
        self.register_buffer("slope", torch.ones(shape))
        self.register_buffer("spread", torch.zeros(shape))

    def pool(self, windows: Tensor) -> Tensor:
        """The maximum."""
        return windows.amax(2)

    def estimate(self, rows: Tensor) -> Tensor:
        """y at the most frequent place."""
        place = self.frequency.argmax(1).expand(rows.shape)  # (M, C)
        return _placed(rows, self._others(rows), place)

    def draw(self, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """y at a random place, noise at the others."""
        chances = self.frequency.to(rows)
        place = torch.multinomial(chances, len(rows), replacement=True, generator=generator).mT  # (M, C)
        noise = torch.randn(
            len(rows), *self.spread.shape, generator=generator, dtype=rows.dtype, device=rows.device
        )
        below = (rows[:, :, None] - self._others(rows) - self.spread.to(rows) * noise).abs()
        return _placed(rows, rows[:, :, None] - below, place)

    def places(self, x: Tensor) -> Tensor:
        """Side information: the place of the maximum in every window of x, ``(N, C, *blocks)``."""
        x = self._checked("places", "x", x, self.domain)
        place = self.windows.cut(x).argmax(2)  # (M, C)
        blocks = [size // factor for size, factor in zip(x.shape[2:], self.windows.factors, strict=True)]
        return place.reshape(len(x), -1, self.channels).movedim(1, 2).reshape(len(x), self.channels, *blocks)

    def inverse_at(self, y: Tensor, places: Tensor) -> Tensor:
        """The inverse with side information: y stands exactly where the maxima stood.

        Args:
            y: pooled values ``(N, C, *blocks)``.
            places: from :meth:`places`, of the same shape.

        Raises:
            ShapeError: the shapes differ.
        """
        if places.shape != y.shape:
            raise ShapeError(
                f"MaxPoolReplacement: places are {tuple(places.shape)}, values {tuple(y.shape)}; wanted one"
                " place a value"
            )
        rows, where = self.windows.rows(y), self.windows.rows(places)
        below = torch.minimum(self._others(rows), torch.nextafter(rows, rows - 1)[:, :, None])
        return self.windows.join(_placed(rows, below, where), y.shape[2:])

    def learn(self, windows: Tensor) -> None:
        """Frequencies of places, and a line and a spread for what is not the maximum."""
        values = windows.double()
        largest = values.amax(2, keepdim=True)
        won = torch.zeros_like(values).scatter_(2, values.argmax(2, keepdim=True), 1.0)
        self.frequency = won.mean(0).to(self.frequency)
        lost = 1.0 - won
        count = lost.sum(0).clamp_min(1.0)
        mean_y, mean_x = (lost * largest).sum(0) / count, (lost * values).sum(0) / count
        variance = (lost * (largest - mean_y).square()).sum(0) / count
        covariance = (lost * (largest - mean_y) * (values - mean_x)).sum(0) / count
        slope = torch.where(variance > 1e-12, covariance / variance.clamp_min(1e-12), 0.0)
        left = lost * (values - mean_x - slope * (largest - mean_y))
        self.offset, self.slope = (mean_x - slope * mean_y).to(self.offset), slope.to(self.slope)
        self.spread = (left.square().sum(0) / count).sqrt().to(self.spread)

    def _others(self, rows: Tensor) -> Tensor:
        return self.offset.to(rows) + self.slope.to(rows) * rows[:, :, None]  # (M, C, P)


def _placed(rows: Tensor, others: Tensor, place: Tensor) -> Tensor:
    """The others capped at y ``(M, C)``, with y itself at one place ``(M, C)``."""
    capped = torch.minimum(others, rows[:, :, None])
    return capped.scatter(2, place[:, :, None], rows[:, :, None])
