"""What every search sees: a map of rows, and what counts as missing."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from preimage.errors import ShapeError

Map = Callable[[Tensor], Tensor]
"""From rows ``(N, *in)`` to rows ``(N, *out)``, independent of each other."""

Misfit = Callable[[Tensor, Tensor], Tensor]
"""From values ``f(x)`` and wanted ``y`` to what counts as the residual, ``(N, *out)`` each."""


def value_at(f: Map, start: Tensor, y: Tensor) -> Tensor:
    """``f(start)``, which must have the shape of y.

    Args:
        f: the map.
        start: first guess, ``(N, *in)``.
        y: what f should return, ``(N, *out)``.

    Raises:
        ShapeError: when it has another shape.
    """
    value = f(start)
    if value.shape != y.shape:
        raise ShapeError(
            f"f(start) has shape {tuple(value.shape)}; y must have the same, got {tuple(y.shape)}"
        )
    return value
