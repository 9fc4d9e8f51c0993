"""Average pools, local and global, with a learnt template and learnt noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.replace.noise import CentredNoise, IndependentNoise
from preimage.replace.pool import PoolReplacement


@final
class AveragePoolReplacement(PoolReplacement):
    r"""A mean over windows; its inverse is :math:`\hat x_p = y + t_p + u_p (y - \bar y)` plus centred noise.

    Template t and slopes u are the least-squares ones for every channel and position; both have mean 0 over
    the window, so the mean is y exactly. Noise has mean 0 over the window too: a sample pools to y as well.
    Before :meth:`fit` there is neither: y is fanned out, the smallest preimage.

    The estimate has the least mean square error. A sample has the variance of the data at every position and
    twice that error: use it where a later layer, such as a rectifier, should see realistic variation.

    Reference: Kay (1993), Fundamentals of statistical signal processing: estimation theory, chapter 12,
    https://www.pearson.com/en-us/subject-catalog/p/P200000009261

    Args:
        channels: C.
        factors: size of the window along every axis of space; the whole map for a global pool.
        noise: model of what varies; :class:`IndependentNoise` by default. A window of fewer than 3 positions
            has none.

    Returns:
        forward: pooled values; inverse: the map.

    Raises:
        ShapeError: a size is not a multiple of its factor.

    Cost: O(C P) a window.

    Example:
        >>> pool = AveragePoolReplacement(3, (4, 4))
        >>> x = torch.randn(50, 3, 4, 4) + torch.arange(4.0)
        >>> pool.fit([x])
        >>> y = pool(x)
        >>> torch.allclose(pool(pool.sample(y)), y, atol=1e-5)
        True
        >>> bool((pool.inverse(y) - x).square().mean() < (y - x).square().mean() / 2)
        True
    """

    template: Tensor  # (C, P)
    slope: Tensor  # (C, P)
    middle: Tensor  # (C,)

    def __init__(
        self, channels: int, factors: int | Sequence[int], noise: CentredNoise | None = None
    ) -> None:
        super().__init__(channels, factors)
        positions = self.windows.positions
        self.register_buffer("template", torch.zeros(channels, positions))
        self.register_buffer("slope", torch.zeros(channels, positions))
        self.register_buffer("middle", torch.zeros(channels))
        self.noise = noise or (IndependentNoise(channels, positions) if positions > 2 else None)

    def pool(self, windows: Tensor) -> Tensor:
        """The mean."""
        return windows.mean(2)

    def estimate(self, rows: Tensor) -> Tensor:
        """y plus what is expected of every position, recentred against rounding."""
        around = self.template.to(rows) + self.slope.to(rows) * (rows - self.middle.to(rows))[:, :, None]
        return rows[:, :, None] + around - around.mean(2, keepdim=True)

    def draw(self, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """The estimate plus noise, recentred against rounding."""
        if self.noise is None:
            return self.estimate(rows)
        noise = self.noise.sample(len(rows), generator).to(rows)
        return self.estimate(rows) + noise - noise.mean(2, keepdim=True)

    def learn(self, windows: Tensor) -> None:
        """Least squares for every channel and position, then the noise from what is left."""
        rows = windows.double().mean(2)  # (M, C)
        detail = windows.double() - rows[:, :, None]  # (M, C, P)
        middle = rows.mean(0)
        away = rows - middle
        variance = away.square().mean(0)
        covariance = (away[:, :, None] * detail).mean(0)
        slope = covariance / variance.clamp_min(torch.finfo(torch.float64).tiny)[:, None]
        self.middle, self.template = middle.to(self.middle), detail.mean(0).to(self.template)
        self.slope = torch.where(variance[:, None] > 0, slope, 0.0).to(self.slope)
        if self.noise is not None:
            self.noise.fit((windows - self.estimate(rows.to(windows))).to(windows))
