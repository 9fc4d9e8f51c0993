"""Where electrodes sit: the 10-10 system on a spherical head, for any set of names."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.errors import ShapeError

STANDARD_CHANNELS = (
    *("A1", "A2", "C3", "C4", "CZ", "F3", "F4", "F7", "F8", "FP1", "FP2"),
    *("FZ", "O1", "O2", "P3", "P4", "PZ", "T3", "T4", "T5", "T6"),
)
"""The 21 electrodes of the 10-20 system, in alphabetical order."""

# Rows from front to back: angle from the vertex of the midline electrode (front positive), and azimuth
# from the nose of the electrode where the row meets the ring through FP1, T7 and O1.
_ROWS = {
    "FP": (72.0, 18.0),
    "AF": (54.0, 36.0),
    "F": (36.0, 54.0),
    "FC": (18.0, 72.0),
    "C": (0.0, 90.0),
    "CP": (-18.0, 108.0),
    "P": (-36.0, 126.0),
    "PO": (-54.0, 144.0),
    "O": (-72.0, 162.0),
}
_OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "A1": "T9", "A2": "T10"}
_RING_NAMES = {"FT": "FC", "T": "C", "TP": "CP"}
_RING = 72.0
_EARS = {"M1": "TP9", "M2": "TP10"}


def electrode_positions(channels: Sequence[str]) -> Tensor:
    """Positions of electrodes on a spherical head of radius 1.

    Arcs of the 10-10 system, in steps of 10 % (18 degrees) from the vertex. Old names (T3, T4, T5, T6), ear
    lobes (A1, A2) and mastoids (M1, M2) are known; upper and lower case are the same.

    Reference: Oostenveld, Praamstra (2001), The five percent electrode system for high-resolution EEG and ERP
    measurements, https://doi.org/10.1016/S1388-2457(00)00527-7

    Args:
        channels: names of electrodes, such as ``("FP1", "O2")``.

    Returns:
        Tensor ``(C, 3)``: to the right, to the front, up. Unit: head radius.

    Raises:
        ShapeError: a name is not one of the 10-10 system.

    Cost: none to speak of.

    Example:
        >>> electrode_positions(["CZ", "T4"]).round(decimals=2).abs()
        tensor([[0.0000, 0.0000, 1.0000],
                [0.9500, 0.0000, 0.3100]])
    """
    return torch.tensor([_position(name) for name in channels])


def head_positions(channels: Sequence[str]) -> Tensor:
    """Electrodes seen from above: distance from the centre is the angle from the vertex, 1 at 90 degrees.

    Args:
        channels: names of electrodes of the 10-10 system.

    Returns:
        Tensor ``(C, 2)``: to the right, to the front.

    Raises:
        ShapeError: a name is not one of the 10-10 system.

    Cost: none to speak of.

    Example:
        >>> head_positions(["FZ"]).round(decimals=2)
        tensor([[0.0000, 0.4000]])
    """
    points = electrode_positions(channels)  # (C, 3)
    angle = torch.acos(points[:, 2:].clamp(-1, 1)) / (math.pi / 2)  # (C, 1)
    return angle * torch.nn.functional.normalize(points[:, :2], dim=1)


def knows(channel: str) -> bool:
    """Whether the name is one of the 10-10 system."""
    try:
        _position(channel)
    except ShapeError:
        return False
    return True


def grid_places(channels: Sequence[str]) -> list[tuple[int, int]]:
    """Row and column of every electrode in the smallest table that keeps their order, for small plots.

    Args:
        channels: names of electrodes of the 10-10 system.

    Returns:
        One tuple a channel; rows from the front, columns from the left, both from 0. Two names of one
        place share a cell.

    Example:
        >>> grid_places(["FP1", "F3", "FZ", "F4"])
        [(0, 0), (1, 0), (1, 1), (1, 2)]
    """
    found = [_row_and_number(name) for name in channels]
    rows = [row for row in _ROWS if row in {row for row, _ in found}]
    sides = sorted({_column(row, number) for row, number in found})
    return [(rows.index(row), sides.index(_column(row, number))) for row, number in found]


def _column(row: str, number: int) -> int:
    """How far to the right: odd numbers are left. FP1 and O1 stand in front of and behind F3 and P3."""
    steps = (number + 1) // 2
    if row in {"FP", "O"} and steps == 1:
        steps = 2
    return -steps if number % 2 else steps


def _position(name: str) -> tuple[float, float, float]:
    return _on_the_arc(*_row_and_number(name))


def _row_and_number(name: str) -> tuple[str, int]:
    upper = name.strip().upper()
    upper = _EARS.get(upper, _OLD_NAMES.get(upper, upper))
    row = upper.rstrip("Z0123456789")
    place = upper[len(row) :]
    row = _RING_NAMES.get(row, row)
    number = int(place) if place.isdigit() else 0
    if row not in _ROWS or not (place == "Z" or 1 <= number <= 10):
        raise ShapeError(
            f"electrode {name!r} is not one of the 10-10 system; wanted a name such as FP1, CZ, T3 or PO8"
        )
    return row, number


def _on_the_arc(row: str, number: int) -> tuple[float, float, float]:
    """Odd numbers left, even right; every two steps are a quarter of the arc from midline to ring."""
    midline, azimuth = _ROWS[row]
    side = -1.0 if number % 2 else 1.0
    steps = (number + 1) // 2 if number else 0
    if steps == 5:  # one step below the ring
        return _on_the_sphere(90.0, side * azimuth)
    if row in {"FP", "O"}:
        return _on_the_sphere(
            _RING, side * azimuth * min(steps, 1) + (180.0 if row == "O" and not steps else 0)
        )
    middle, ring = _on_the_sphere(midline, 0.0), _on_the_sphere(_RING, side * azimuth)
    return _between(middle, ring, steps / 4)


def _on_the_sphere(from_vertex: float, azimuth: float) -> tuple[float, float, float]:
    down, around = math.radians(from_vertex), math.radians(azimuth)
    return math.sin(down) * math.sin(around), math.sin(down) * math.cos(around), math.cos(down)


def _between(
    start: tuple[float, float, float], end: tuple[float, float, float], share: float
) -> tuple[float, float, float]:
    """A point on the great circle from start to end."""
    angle = math.acos(sum(a * b for a, b in zip(start, end, strict=True)))
    near, far = math.sin((1 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
    x, y, z = (near * a + far * b for a, b in zip(start, end, strict=True))
    return x, y, z
