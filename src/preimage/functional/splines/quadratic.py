"""Pieces whose slope changes linearly."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.functional.splines.curve import Curve


@final
class Quadratic(Curve):
    r"""The parabola :math:`\eta = t\,(a (2 - t) + b\,t) / (a + b)`, of slopes in the ratio a : b.

    Where a and b have the mean 1, as in a spline whose heights are the areas under its slopes, these are its
    slopes. The root is :math:`t = (a + b)\,\eta / (a + \sqrt{a^2 (1 - \eta) + b^2 \eta})`, without any
    difference.

    Reference: Müller, McWilliams, Rousselle, Gross, Novák (2019), Neural importance sampling,
    https://arxiv.org/abs/1808.03856

    Example:
        >>> a, b, t = torch.tensor(0.5), torch.tensor(1.5), torch.tensor(0.4)
        >>> value, rest, _ = Quadratic().rise(t, 1 - t, a, b)
        >>> Quadratic().root(value, rest, a, b)
        (tensor(0.4000), tensor(0.6000))
    """

    def rise(self, t: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The area under the slope."""
        total = a + b
        value = t * (a * (1 + rest) + b * t) / total
        return value, rest * (b * (1 + t) + a * rest) / total, 2 * (a * rest + b * t) / total

    def root(self, value: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The stable root of the quadratic equation, from either end."""
        slope = torch.sqrt(a * a * rest + b * b * value)
        return (a + b) * value / (a + slope), (a + b) * rest / (b + slope)
