"""Activations that fall to one lowest point and rise from there: both preimages of every value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from preimage.capture.graph import Node
from preimage.functional.roots import monotone_root, with_slope
from preimage.layers.elementwise.dip import Dip
from preimage.layers.elementwise.gelu import GELU
from preimage.layers.elementwise.swish import Swish

FAR = 200.0
"""Beyond minus this the activations are zero in every precision."""


class TurningPoint(ABC):
    """An activation phi with phi(0) = 0, negative left of 0, with one lowest point.

    Args:
        turn: where the lowest point lies.
        lowest: the value there.
    """

    def __init__(self, turn: float, lowest: float) -> None:
        self.turn, self.lowest = turn, lowest

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """phi(x)."""

    @abstractmethod
    def upper(self, y: Tensor) -> Tensor:
        """The preimage right of the lowest point, for ``y >= lowest``."""

    @abstractmethod
    def lower(self, y: Tensor) -> Tensor:
        """The preimage left of the lowest point, for ``lowest <= y < 0``; far left where y >= 0."""

    def slope(self, x: Tensor) -> Tensor:
        """phi'(x)."""
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.value(point).sum(), point)
        return slope

    def is_ambiguous(self, y: Tensor) -> Tensor:
        """Where y has two preimages, or none."""
        return y < 0


@final
class DipPoint(TurningPoint):
    """SiLU and GELU, whose branches the layers of the library know.

    Args:
        dip: the layer.
    """

    def __init__(self, dip: Dip) -> None:
        super().__init__(dip.turn, dip.lowest)
        self._dip = dip

    def value(self, x: Tensor) -> Tensor:
        """phi(x)."""
        return self._dip.value(x)[0]

    def upper(self, y: Tensor) -> Tensor:
        """Lambert's W or Newton's method."""
        return self._dip.right(y.clamp_min(self.lowest)).clamp_min(self.turn)

    def lower(self, y: Tensor) -> Tensor:
        """Lambert's W or Newton's method on the logarithm."""
        tiny = -torch.finfo(y.dtype).tiny
        return self._dip.left(y.clamp(self.lowest, tiny)).clamp(-FAR, self.turn)


@final
class HardSwishPoint(TurningPoint):
    """x relu6(x + 3) / 6: two roots of a quadratic; y = 0 is also the image of everything below -3."""

    def __init__(self) -> None:
        super().__init__(-1.5, -0.375)

    def value(self, x: Tensor) -> Tensor:
        """phi(x)."""
        return F.hardswish(x)

    def _root(self, y: Tensor) -> Tensor:
        return (9 + 24 * y.clamp_min(self.lowest)).sqrt()

    def upper(self, y: Tensor) -> Tensor:
        """(sqrt(9 + 24 y) - 3) / 2 up to 3, y above."""
        return torch.where(y > 3, y, (self._root(y) - 3) / 2)

    def lower(self, y: Tensor) -> Tensor:
        """(-sqrt(9 + 24 y) - 3) / 2."""
        return (-self._root(y.clamp_max(0)) - 3) / 2

    def is_ambiguous(self, y: Tensor) -> Tensor:
        """Zero has the preimages 0 and everything below -3."""
        return y <= 0


@final
class NumericalPoint(TurningPoint):
    """Any other activation of this form, inverted by safeguarded Newton steps.

    Args:
        function: phi, elementwise.
        turn, lowest: its lowest point.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], turn: float, lowest: float) -> None:
        super().__init__(turn, lowest)
        self._function = function

    def value(self, x: Tensor) -> Tensor:
        """phi(x)."""
        return self._function(x)

    def upper(self, y: Tensor) -> Tensor:
        """Between the lowest point and y + 4."""
        y = y.clamp_min(self.lowest)
        return monotone_root(
            with_slope(self._function), y, torch.full_like(y, self.turn), y.clamp_min(0) + 4.0
        )

    def lower(self, y: Tensor) -> Tensor:
        """Left of the lowest point; the mirrored function rises there."""
        y = y.clamp(self.lowest, -torch.finfo(y.dtype).tiny)
        start, end = torch.full_like(y, -self.turn), torch.full_like(y, FAR)
        return -monotone_root(with_slope(lambda u: self._function(-u)), y, start, end)


GELU_TANH = (-0.7524614220710163, -0.1700407505712541)
MISH = (-1.1924312145154952, -0.3088434130172504)


def _gelu(node: Node) -> TurningPoint:
    if node.kwargs.get("approximate", "none") == "tanh":
        return NumericalPoint(lambda x: F.gelu(x, approximate="tanh"), *GELU_TANH)
    return DipPoint(GELU())


_POINTS: dict[str, Callable[[Node], TurningPoint]] = {
    "silu": lambda _: DipPoint(Swish()),
    "gelu": _gelu,
    "hardswish": lambda _: HardSwishPoint(),
    "mish": lambda _: NumericalPoint(F.mish, *MISH),
}


def register_turning_point(operation: str, make: Callable[[Node], TurningPoint]) -> None:
    """Teach the planner that an ATen operation falls to one lowest point and rises from there."""
    _POINTS[operation] = make


def turning_point(node: Node) -> TurningPoint | None:
    """The lowest point of a node's activation, None for other operations."""
    make = _POINTS.get(node.operation)
    return make(node) if make is not None and len(node.inputs) == 1 else None
