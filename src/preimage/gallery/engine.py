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
        """The ledger; ``str()`` prints it, ``to_dict()`` gives its rows."""
        ...

    def features(self, x: Tensor, taps: Sequence[str]) -> Mapping[str, Tensor]:
        """Forward values at the taps."""
        ...

    def data_free(self, y: Tensor, *, tap: str) -> tuple[Tensor, Certificate]:
        """One-shot inverse that has seen no data."""
        ...

    def calibrated(self, y: Tensor, *, tap: str) -> tuple[Tensor, Certificate]:
        """One-shot inverse estimated from data."""
        ...

    def solve(
        self, y: Tensor, *, tap: str, tol: float, start: Tensor | None, max_products: int
    ) -> tuple[Tensor, Certificate]:
        """Refined inverse, from a start."""
        ...
