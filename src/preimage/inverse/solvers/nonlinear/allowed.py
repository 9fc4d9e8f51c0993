"""Where x may lie, and which change of x is the smallest that explains a residual there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from preimage.errors import DomainError
from preimage.inverse.solvers.linear_systems.cgls import inner, spread
from preimage.inverse.solvers.nonlinear.linearisation import Linearisation

STEPS = 12
"""Newton steps on the multipliers of a box, at most."""

LENGTHS = (1.0, 0.5, 0.2, 0.05)
"""Parts of such a step that are tried."""

NEAR = 0.97
"""How near to a bound a search in coordinates begins: at the bound itself nothing would move."""

CURVE = 1.0
"""How far from a single bound its coordinates bend."""


class Allowed(ABC):
    """The set that x must not leave."""

    def of(self, rows: Tensor) -> Allowed:
        """The set for some samples of a batch; itself where all samples share it."""
        return self

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """The nearest allowed point, ``(N, *in)``."""

    @abstractmethod
    def inside(self, u: Tensor) -> Tensor:
        """A smooth map of the whole space onto the inside of the set, of slope 1 far from its bounds."""

    @abstractmethod
    def coordinates(self, x: Tensor) -> Tensor:
        """u with ``inside(u)`` next to x: x itself where it lies well inside, else somewhat further in."""

    @abstractmethod
    def change(
        self, linear: Linearisation, x: Tensor, anchor: Tensor, residual: Tensor, damping: Tensor
    ) -> Tensor:
        """Of all allowed d with ``J d = residual`` the one that brings ``x + d`` nearest to the anchor.

        Args:
            linear: J at x and the metric in which nearness counts.
            x: where J was taken, ``(N, *in)``.
            anchor: ``(N, *in)``; x itself for the smallest change.
            residual: what the outputs lack, ``(N, *out)``.
            damping: relative to the size of J J', ``(N,)``; above 0 the equations are met in part.
        """


@final
class Everywhere(Allowed):
    """No bounds: one linear system."""

    def project(self, x: Tensor) -> Tensor:
        """X itself."""
        return x

    def inside(self, u: Tensor) -> Tensor:
        """U itself."""
        return u

    def coordinates(self, x: Tensor) -> Tensor:
        """X itself."""
        return x

    def change(
        self, linear: Linearisation, x: Tensor, anchor: Tensor, residual: Tensor, damping: Tensor
    ) -> Tensor:
        """``(a - x) + M J' (J M J' + lambda s)^-1 (r - J (a - x))``."""
        away = anchor - x
        return away + linear.correction(residual - linear.push(away), damping)


@final
class Box(Allowed):
    """Every number of x between two bounds.

    The smallest change is ``clip(a + J'v) - x`` with multipliers v for which the equations hold: found by
    Newton's method on v, whose matrix ``J D J'`` counts the numbers that are not at a bound.

    Args:
        low, high: bounds, ``(N, *in)`` or ``(1, *in)``.

    Raises:
        DomainError: where low exceeds high.
    """

    def __init__(self, low: Tensor, high: Tensor) -> None:
        if bool((low > high).any()):
            raise DomainError(
                "a lower bound exceeds its upper bound; write Box(low, high) with low <= high everywhere"
            )
        self.low, self.high = low, high

    def of(self, rows: Tensor) -> Box:
        """With the bounds of these samples."""
        low, high = (bound if len(bound) == 1 else bound[rows] for bound in (self.low, self.high))
        return Box(low, high)

    def project(self, x: Tensor) -> Tensor:
        """X clipped."""
        return x.clamp(self.low.to(x), self.high.to(x))

    def inside(self, u: Tensor) -> Tensor:
        """A hyperbolic tangent between two bounds, a hyperbola where there is one, u where there is none."""
        low, high = self.low.to(u), self.high.to(u)
        both, one, below = _kinds(low, high)
        middle, half = _interval(low, high, both)
        offset = torch.where(below, u - low, high - u).nan_to_num(0.0, 0.0, 0.0)
        away = (offset + (offset.square() + CURVE**2).sqrt()) / 2
        curved = torch.where(below, low + away, high - away)
        return torch.where(both, middle + half * torch.tanh((u - middle) / half), torch.where(one, curved, u))

    def coordinates(self, x: Tensor) -> Tensor:
        """The inverse of ``inside``, of a point that keeps off the bounds by a small part of the box."""
        low, high = self.low.to(x), self.high.to(x)
        both, one, below = _kinds(low, high)
        middle, half = _interval(low, high, both)
        share = ((x - middle) / half).clamp(-NEAR, NEAR)
        away = torch.where(below, x - low, high - x).nan_to_num(1.0, 1.0, 1.0).clamp_min((1 - NEAR) * CURVE)
        offset = away - CURVE**2 / (4 * away)
        curved = torch.where(below, low + offset, high - offset)
        return torch.where(both, middle + half * torch.atanh(share), torch.where(one, curved, x))

    def change(
        self, linear: Linearisation, x: Tensor, anchor: Tensor, residual: Tensor, damping: Tensor
    ) -> Tensor:
        """``clip(a + J'v) - x`` for the best v found."""
        v = torch.zeros_like(residual)
        point = self.project(anchor)
        missing = residual - linear.push(point - x)
        for _ in range(STEPS):
            raw = anchor + linear.pull(v)
            free = ((raw > self.low.to(x)) & (raw < self.high.to(x))).to(x)
            step = linear.multiplier(missing, damping.clamp_min(1e-12), free)
            moved = self._along(linear, x, anchor, residual, (v, missing), step)
            if moved is None:
                break
            v, missing = moved
        return self.project(anchor + linear.pull(v)) - x

    def _along(
        self,
        linear: Linearisation,
        x: Tensor,
        anchor: Tensor,
        residual: Tensor,
        at: tuple[Tensor, Tensor],
        step: Tensor,
    ) -> tuple[Tensor, Tensor] | None:
        """The first part of the step that lowers what the equations miss, sample by sample; None for none."""
        v, missing = at
        left = torch.ones(len(v), dtype=torch.bool, device=v.device)
        for length in LENGTHS:
            trial = v + length * step
            lacks = residual - linear.push(self.project(anchor + linear.pull(trial)) - x)
            better = left & (inner(lacks, lacks) < (1 - 1e-3 * length) * inner(missing, missing))
            pick = spread(better, v).bool()
            v, missing = torch.where(pick, trial, v), torch.where(pick, lacks, missing)
            left = left & ~better
        return None if bool(left.all()) else (v, missing)


def _kinds(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where both bounds are finite, where one is, and where that one is the lower."""
    below, above = low.isfinite(), high.isfinite()
    return below & above, below ^ above, below


def _interval(low: Tensor, high: Tensor, both: Tensor) -> tuple[Tensor, Tensor]:
    """Middle and half width; any numbers where a bound is infinite."""
    half = torch.where(both, (high - low) / 2, 1.0)
    middle = torch.where(both, (high + low) / 2, 0.0)
    return middle, half.clamp_min(torch.finfo(half.dtype).tiny)
