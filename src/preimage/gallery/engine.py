"""What the gallery asks of an inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from preimage.certificate import Certificate


class Engine(Protocol):
    """The part of ``preimage.Inverse`` that a gallery uses; anything of this form can be shown."""

    @property
    def report(self) -> Any:
        """Its ``ledger`` prints with ``str()`` and gives plain data with ``to_dict()``."""
        ...

    def features(self, x: Tensor, taps: Sequence[str]) -> Mapping[str, Tensor]:
        """Forward values at the taps."""
        ...

    def data_free(self, y: Any, tap: Any = None) -> tuple[Any, Certificate]:
        """One-shot inverse that has seen no data."""
        ...

    def calibrated(self, y: Any, tap: Any = None) -> tuple[Any, Certificate]:
        """One-shot inverse estimated from data."""
        ...

    def solve(
        self, y: Tensor, *, tap: str, tol: float, start: Tensor | None, max_products: int
    ) -> tuple[Any, Certificate]:
        """Refined inverse, from a start."""
        ...


class Painter(Protocol):
    """A trained decoder for the same network, such as ``preimage.decoders.Attached``."""

    @property
    def painted(self) -> Sequence[str]:
        """Labels of the taps that it was trained for."""
        ...

    def calibrated(self, y: Any, tap: Any = None) -> tuple[Any, Certificate]:
        """The picture that it paints."""
        ...

    def solve(
        self, y: Tensor, *, tap: str, tol: float, start: Tensor | None, max_products: int
    ) -> tuple[Any, Certificate]:
        """Its picture refined, or another start."""
        ...
