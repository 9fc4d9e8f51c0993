"""Figures that no screen is needed for."""

from __future__ import annotations

from typing import Any

from preimage.errors import MissingExtraError


def figure(width: float, height: float) -> Any:
    """An empty figure of matplotlib, sizes in inches, that belongs to no window.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("this figure needs matplotlib; pip install 'preimage[viz]'") from error
    return Figure(figsize=(width, height), layout="constrained", dpi=150)
