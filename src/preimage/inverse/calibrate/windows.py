"""What a decoder sees of a tap at one position: a local window and averages of wider surroundings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from preimage.inverse.calibrate.grid import MapShape

WINDOWS = (5, 3)
SURROUNDINGS = (3, 5, 11)


@final
@dataclass(frozen=True)
class Windows:
    """The regressors of one position: a window of ``size``, box means of ``boxes``, and the mean of the map.

    Borders are continued by their own values, which keeps the mean of the features.
    """

    tap_map: MapShape
    size: int
    boxes: tuple[int, ...]
    whole: bool

    @staticmethod
    def fitting(tap_map: MapShape, local: int, total: int) -> Windows:
        """The widest window within ``local`` regressors, then as many surroundings as ``total`` allows."""
        channels, longest = tap_map[0], max(tap_map[1:])
        axes = sum(n > 1 for n in tap_map[1:])
        fits = [
            w for w in WINDOWS if w**axes * channels <= local * (1 if w < 5 else 0.6) and 2 * w <= longest
        ]
        size = fits[0] if fits else 1
        room = total // channels - size**axes
        boxes = [b for b in SURROUNDINGS if size < b < longest][: max(room - 1, 0)]
        return Windows(tap_map, size, tuple(boxes), room > 0 and axes > 0)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the local window."""
        return self._extent(self.size)

    @property
    def scales(self) -> int:
        """Number of averages beside the local window."""
        return len(self.boxes) + self.whole

    @property
    def local(self) -> int:
        """Number of regressors in the local window."""
        return self.tap_map[0] * math.prod(self.kernel)

    @property
    def width(self) -> int:
        """Number of regressors at one position."""
        return self.local + self.tap_map[0] * self.scales

    def averages(self, y: Tensor) -> list[Tensor]:
        """Means of the surroundings of maps ``(N, C, h, w)``, each ``(N, C, h, w)``."""
        means = [
            functional.avg_pool2d(self.padded(y, box), self._extent(box), stride=1) for box in self.boxes
        ]
        return [*means, y.mean((2, 3), keepdim=True).expand_as(y)] if self.whole else means

    def padded(self, y: Tensor, size: int) -> Tensor:
        """Continue the borders so that a window of ``size`` has as many positions as the map."""
        (high, wide) = self._extent(size)
        if high == wide == 1:
            return y
        return functional.pad(y, (wide // 2, wide // 2, high // 2, high // 2), mode="replicate")

    def regressors(self, y: Tensor, take: Tensor) -> Tensor:
        """Rows ``(N, R, D)`` of maps ``(N, C, h, w)`` at the flat positions ``take`` ``(R,)``."""
        high, wide = self.kernel
        local = self.padded(y, self.size).unfold(2, high, 1).unfold(3, wide, 1)  # (N, C, h, w, k, k)
        row, column = take // y.shape[3], take % y.shape[3]
        parts = [local[:, :, row, column].permute(0, 2, 1, 3, 4).flatten(2)]  # (N, R, C k k)
        parts += [mean.flatten(2)[:, :, take].mT for mean in self.averages(y)]
        return torch.cat(parts, 2)

    def _extent(self, size: int) -> tuple[int, int]:
        high, wide = (size if n > 1 else 1 for n in self.tap_map[1:])
        return high, wide
