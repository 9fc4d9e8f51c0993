"""Steps of even size in every direction, for descents that nobody solves exactly."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

FIRST, SECOND = 0.9, 0.99
"""Memories of the gradient and of its square."""

WARM = 0.1
"""Part of the steps in which the rate grows; then it falls as a cosine."""


@final
class Adam:
    """The unknown moves by ``rate * mean(g) / sqrt(mean(g^2))`` a step, both means running.

    Reference: D. Kingma and J. Ba (2015), https://arxiv.org/abs/1412.6980.

    Args:
        like: the unknown.
        rate: largest step.
        steps: after how many the rate has fallen to a twentieth.

    Example:
        >>> x, adam = torch.tensor([4.0]), Adam(torch.zeros(1), 0.3, 60)
        >>> for _ in range(60):
        ...     x = adam.step(x, 2 * x)
        >>> bool(x.abs() < 0.5)
        True
    """

    def __init__(self, like: Tensor, rate: float, steps: int) -> None:
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.rate, self.steps, self.count = rate, steps, 0

    def step(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The unknown after one step."""
        self.count += 1
        self.mean = FIRST * self.mean + (1 - FIRST) * gradient
        self.square = SECOND * self.square + (1 - SECOND) * gradient.square()
        mean = self.mean / (1 - FIRST**self.count)
        size = (self.square / (1 - SECOND**self.count)).sqrt() + torch.finfo(x.dtype).tiny ** 0.5
        return x - self._now() * mean / size

    def _now(self) -> float:
        part = self.count / self.steps
        return (
            self.rate * min(1.0, part / WARM) * (0.05 + 0.95 * (1 + math.cos(math.pi * min(part, 1.0))) / 2)
        )
