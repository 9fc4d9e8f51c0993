"""Random crops of the training photographs: other scales, colours and sides, objects pasted on."""

import math
import random
from collections.abc import Sequence

import torch
from torch import Tensor

PASTED, RECOLOURED, WHOLE = 0.25, 0.5, 0.4  # shares of the crops


class Crops:
    """Draws crops; pictures are kept as bytes at several scales.

    Args:
        photographs: for each, the picture ``(3, h, w)`` at several scales, smallest first.
        objects: cut-outs with opacity, ``(4, h, w)``.
        seed: of the draws.
    """

    def __init__(self, photographs: Sequence[Sequence[Tensor]], objects: Sequence[Tensor], seed: int) -> None:
        self.photographs, self.objects, self.random = photographs, objects, random.Random(seed)

    def draw(self, count: int, side: int) -> Tensor:
        """Crops ``(count, 3, side, side)`` in 0..1."""
        return torch.stack([self._augmented(self._crop(side)) for _ in range(count)])

    def _crop(self, side: int) -> Tensor:
        scales = self.random.choice(self.photographs)
        smallest = side == scales[0].shape[1] and self.random.random() < WHOLE
        picture = scales[0] if smallest else self.random.choice(scales)
        top, left = (self.random.randint(0, n - side) for n in picture.shape[1:])
        crop = picture[:, top : top + side, left : left + side].float() / 255
        return self._pasted(crop) if self.objects and self.random.random() < PASTED else crop

    def _pasted(self, crop: Tensor) -> Tensor:
        object_ = self._mirrored(self.random.choice(self.objects).float() / 255)
        side, crop = crop.shape[1], crop.clone()
        first = [self._place(n, side) for n in object_.shape[1:]]
        rows, columns = (
            slice(max(t, 0), min(t + n, side)) for t, n in zip(first, object_.shape[1:], strict=True)
        )
        part = object_[
            :,
            rows.start - first[0] : rows.stop - first[0],
            columns.start - first[1] : columns.stop - first[1],
        ]
        crop[:, rows, columns] += part[3:] * (part[:3] - crop[:, rows, columns])
        return crop

    def _place(self, length: int, side: int) -> int:
        """Where an object begins: a third of it may lie outside."""
        if side > length:
            return self.random.randint(-length // 3, side - length + length // 3)
        return self.random.randint(-length // 2, 0)

    def _augmented(self, x: Tensor) -> Tensor:
        x = self._mirrored(x)
        if self.random.random() >= RECOLOURED:
            return x
        mean = x.mean((1, 2), keepdim=True)
        x = mean + (x - mean) * math.exp(self.random.gauss(0, 0.15))
        gains = torch.tensor([math.exp(self.random.gauss(0, 0.08)) for _ in range(3)])
        x = x * gains.view(3, 1, 1) + self.random.gauss(0, 0.04)
        grey = x.mean(0, keepdim=True)
        return (grey + (x - grey) * self.random.uniform(0.6, 1.3)).clamp(0, 1)

    def _mirrored(self, x: Tensor) -> Tensor:
        return x.flip(2) if self.random.random() < 0.5 else x
