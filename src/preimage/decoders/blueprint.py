"""The shape of a picture decoder: where every tap enters, how wide each level is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preimage.errors import ShapeError

WIDTHS = (32, 64, 96, 160, 256)  # channels at a half, a quarter, ... of the input's size
BLOCKS = (1, 3, 3, 3, 3)
CLIMB = 1  # levels above a tap's own that it passes; finer detail than these paint cannot be told from it
FINE = 1000  # regressors up to which a sketch of a large map looks at 5 x 5 positions
WIDE = 400  # channels of a tap above which a sketch looks at single positions
SKETCHED = 4  # pixels that a sketch paints along each axis of a position


@dataclass(frozen=True)
class Blueprint:
    """What a decoder network is made from, and all that is needed to make it again.

    Level k holds maps of ``1 / 2^k`` of the input's size, k = 1 the finest.

    Args:
        input_shape: of the network's input, ``(C, H, W)``.
        taps: label -> event shape, shallow to deep.
        widths: channels of every level, finest first.
        blocks: residual blocks of every level, finest first.
        climb: levels passed between a tap's own and the one that paints; the picture is enlarged from there.

    Raises:
        ShapeError: the input is no picture, there is no tap, or no level.

    Example:
        >>> taps = {"early": (16, 8, 8), "logits": (10,)}
        >>> plan = Blueprint((3, 32, 32), taps, widths=(8, 8, 8), blocks=(1, 1, 1))
        >>> plan.level("early"), plan.level("logits"), plan.exit("logits")
        (2, 3, 2)
    """

    input_shape: tuple[int, int, int]
    taps: Mapping[str, tuple[int, ...]]
    widths: tuple[int, ...] = WIDTHS
    blocks: tuple[int, ...] = BLOCKS
    climb: int = CLIMB

    def __post_init__(self) -> None:
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            raise ShapeError(
                f"a picture decoder needs inputs (C, H, W); this network reads {tuple(self.input_shape)}"
            )
        if not self.taps or not self.widths or min(self.widths) < 1:
            raise ShapeError(f"got {len(self.taps)} taps and widths {self.widths}; both must not be empty")
        if len(self.blocks) != len(self.widths):
            raise ShapeError(
                f"blocks {self.blocks} and widths {self.widths} must be given for the same levels"
            )

    @property
    def levels(self) -> int:
        """The number of levels."""
        return len(self.widths)

    def stride(self, tap: str) -> int:
        """Positions along each axis that enter together: 2 where the maps are as large as the input."""
        height, width = map_size(self.taps[tap])
        ratio = math.sqrt(self.input_shape[1] * self.input_shape[2] / (height * width))
        return 2 if height * width > 1 and ratio < math.sqrt(2) and min(height, width) > 1 else 1

    def level(self, tap: str) -> int:
        """Where a tap enters: the level whose maps are nearest to its own in size."""
        height, width = map_size(self.taps[tap])
        if height * width == 1:
            return self.levels
        ratio = math.sqrt(self.input_shape[1] * self.input_shape[2] / (height * width))
        return min(max(round(math.log2(max(ratio, 1.0))), 1), self.levels)

    def exit(self, tap: str) -> int:
        """The level that paints the picture for a tap."""
        return max(self.level(tap) - self.climb, 1)

    def sketch(self, tap: str) -> tuple[int, int]:
        """What the linear sketch of a tap sees and paints: side of its window, side of its block of pixels.

        A single position paints a whole small picture; its block has no side, 0.
        """
        height, width = map_size(self.taps[tap])
        if height * width == 1:
            return 1, 0
        ratio = math.sqrt(self.input_shape[1] * self.input_shape[2] / (height * width))
        channels, block = map_channels(self.taps[tap]), min(max(round(ratio), 1), SKETCHED)
        fine = 25 * channels <= FINE and block < SKETCHED
        return 5 if fine else 3 if channels <= WIDE else 1, block

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"taps": {label: list(shape) for label, shape in self.taps.items()}}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Blueprint:
        """Undo :meth:`to_dict`."""
        channels, height, width = data["input_shape"]
        return Blueprint(
            (channels, height, width),
            {label: tuple(shape) for label, shape in data["taps"].items()},
            tuple(data["widths"]),
            tuple(data["blocks"]),
            int(data["climb"]),
        )


def map_size(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a tap: of maps ``(C, H, W)``, of square token grids ``(L, C)``, else one by one.

    Example:
        >>> map_size((80, 14, 14)), map_size((197, 768)), map_size((1000,))
        ((14, 14), (14, 14), (1, 1))
    """
    if len(shape) == 3:
        return int(shape[1]), int(shape[2])
    side = math.isqrt(shape[0]) if len(shape) == 2 else 1
    return side, side


def map_channels(shape: Sequence[int]) -> int:
    """Channels of a tap once it is laid out as a map."""
    if len(shape) == 3:
        return int(shape[0])
    return int(shape[1]) if len(shape) == 2 else math.prod(shape)
