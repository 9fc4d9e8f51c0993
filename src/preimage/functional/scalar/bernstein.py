"""Polynomials in Bernstein form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.functional.roots import monotone_root
from preimage.functional.scalar.tails import into_box, lines_beyond


def bernstein(x: Tensor, coefficients: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    r"""An increasing polynomial in Bernstein form on a box, straight beyond it.

    .. math:: y = \sum_{k=0}^M \theta_k \binom{M}{k} t^k (1 - t)^{M - k}, \qquad t = \frac{x + B}{2 B}.

    It rises if its coefficients do, and its slope is a mean of their differences: no terms of opposite signs.

    Reference: Farouki (2012), The Bernstein polynomial basis: a centennial retrospective,
    https://doi.org/10.1016/j.cagd.2012.03.001

    Args:
        x: any shape ``(...)``.
        coefficients: increasing, ``(..., M + 1)`` with M at least 1, of a shape that broadcasts to that.
        bound: the box reaches from -bound to bound on the axis of x.

    Returns:
        y and log dy/dx, of the shape of x.

    Cost: O(M) a number.

    Example:
        >>> bernstein(torch.tensor([0.5, 3.0]), torch.tensor([-1.0, 0.0, 1.0]), 1.0)
        (tensor([0.5000, 3.0000]), tensor([0., 0.]))
    """
    curve = _Bernstein(coefficients, bound)
    inner = into_box(x, curve.places[..., 0], curve.places[..., -1])
    value, slope = curve.at(inner)
    tail, tail_slope = lines_beyond(x, curve.places, coefficients, curve.slopes)
    inside = x == inner
    return torch.where(inside, value, tail), torch.where(inside, slope, tail_slope).log()


def bernstein_inverse(y: Tensor, coefficients: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """The inverse of :func:`bernstein`: straight lines beyond the box, a safeguarded Newton search inside.

    Args:
        y: any shape ``(...)``.
        coefficients: as there.
        bound: as there.

    Returns:
        x and log dx/dy, of the shape of y.

    Cost: O(M) a number and step, see :func:`~preimage.functional.roots.monotone_root`.

    Example:
        >>> bernstein_inverse(torch.tensor([0.5, 3.0]), torch.tensor([-1.0, 0.0, 1.0]), 1.0)[0]
        tensor([0.5000, 3.0000])
    """
    curve = _Bernstein(coefficients, bound)
    inner = into_box(y, coefficients[..., 0], coefficients[..., -1])
    end = torch.full_like(y, bound)
    value = monotone_root(curve.at, inner, -end, end, steps=24)
    value = into_box(value, -end, end)
    tail, tail_slope = lines_beyond(y, coefficients, curve.places, 1 / curve.slopes)
    inside = y == inner
    slope = torch.where(inside, curve.at(value)[1], 1 / tail_slope)
    return torch.where(inside, value, tail), -slope.log()


class _Bernstein:
    """The polynomial, with its slope."""

    def __init__(self, coefficients: Tensor, bound: float) -> None:
        self.coefficients, self.bound = coefficients, bound
        self.places = coefficients.new_tensor([-bound, bound])
        steps = coefficients[..., 1:] - coefficients[..., :-1]
        self.slopes = steps * (steps.shape[-1] / (2 * bound))

    def at(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and slope inside of the box."""
        t, rest = (x + self.bound) / (2 * self.bound), (self.bound - x) / (2 * self.bound)
        return _sum(t, rest, self.coefficients), _sum(t, rest, self.slopes)


def _sum(t: Tensor, rest: Tensor, coefficients: Tensor) -> Tensor:
    degree = coefficients.shape[-1] - 1
    k = torch.arange(degree + 1, dtype=t.dtype, device=t.device)
    chances = t.new_tensor([float(math.comb(degree, i)) for i in range(degree + 1)])
    basis = chances * t[..., None].pow(k) * rest[..., None].pow(degree - k)  # (..., M + 1)
    return (coefficients * basis).sum(-1)
