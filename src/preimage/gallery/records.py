"""What a gallery knows: plain records, no tensors, ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from statistics import fmean, median
from typing import Any, Literal

SCHEMA = "preimage.gallery/1"
Mode = Literal["data-free", "calibrated", "painted", "refined"]
MODES: tuple[Mode, ...] = ("data-free", "calibrated", "refined")
"""The modes of every gallery."""

ALL_MODES: tuple[Mode, ...] = ("data-free", "calibrated", "painted", "refined")
"""Those, and the one that needs a trained decoder for the network."""


@dataclass(frozen=True)
class Score:
    """One reconstruction, measured on both axes.

    Args:
        psnr: decibels, picture values in 0..1, not rounded to 8 bits.
        ssim: structural similarity.
        picture_error: ``|x - x'|`` over the mean distance between two shown pictures; None for a single
            picture.
        feature_error: ``|f(x') - y| / |y - channel mean|``.
    """

    psnr: float
    ssim: float
    picture_error: float | None
    feature_error: float


@dataclass(frozen=True)
class Cell:
    """One picture, seen from one depth, in one mode.

    Args:
        picture: name of the picture.
        tap: label of the depth.
        mode: how it was inverted.
        score: the measurement; None when the inverse refused.
        residual: of the certificate, relative.
        converged: verdict of the certificate; numbers of a failed certificate are never shown without a flag.
        message: the certificate's own words, or the reason of a refusal.
        milliseconds: wall-clock time of the inverse, its equal share of the batch it ran in.
    """

    picture: str
    tap: str
    mode: Mode
    score: Score | None
    residual: float
    converged: bool
    message: str
    milliseconds: float


@dataclass(frozen=True)
class Yardstick:
    """A reconstruction that needs no inverse, measured like the others."""

    picture: str
    tap: str
    kind: Literal["shrink and enlarge", "mean colour"]
    score: Score


@dataclass(frozen=True)
class Depth:
    """One tap, and how many numbers it holds.

    Args:
        label: as the engine knows it.
        shape: without the batch axis.
        ratio: numbers in the tap over numbers in the input.
    """

    label: str
    shape: tuple[int, ...]
    ratio: float


@dataclass(frozen=True)
class Record:
    """All numbers of one gallery.

    Args:
        network: name, parameters, input shape and the like.
        pictures: names, in order of appearance.
        depths: shallow to deep.
        cells: every reconstruction.
        yardsticks: every comparison.
        distance: mean distance between two shown pictures, in picture units; None for a single picture.
        ledger: the engine's ledger, as it gives it.
        ledger_text: the ledger as printed.
        calibration: what the calibrated columns were estimated from.
        environment: versions, threads, seconds.
    """

    network: dict[str, Any]
    pictures: tuple[str, ...]
    depths: tuple[Depth, ...]
    cells: tuple[Cell, ...]
    yardsticks: tuple[Yardstick, ...]
    distance: float | None
    ledger: dict[str, Any] = field(default_factory=dict)
    ledger_text: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes of this gallery, in the order in which they are shown."""
        found = {cell.mode for cell in self.cells}
        return tuple(mode for mode in ALL_MODES if mode in found or mode in MODES)

    def cell(self, picture: str, tap: str, mode: Mode) -> Cell:
        """The cell of one picture, tap and mode."""
        return next(c for c in self.cells if (c.picture, c.tap, c.mode) == (picture, tap, mode))

    def yardstick(self, picture: str, tap: str, kind: str) -> Yardstick:
        """The comparison of one kind for one picture and tap."""
        return next(y for y in self.yardsticks if (y.picture, y.tap, y.kind) == (picture, tap, kind))

    def summary(self) -> list[dict[str, Any]]:
        """Means over the pictures, one row per tap, with the yardsticks beside the modes."""
        return [self._summary_row(depth) for depth in self.depths]

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON; ``schema`` names the version of this layout."""
        return {"schema": SCHEMA, **asdict(self), "summary": self.summary()}

    def _summary_row(self, depth: Depth) -> dict[str, Any]:
        row: dict[str, Any] = {"tap": depth.label, "shape": list(depth.shape), "ratio": depth.ratio}
        for mode in self.modes:
            cells = [c for c in self.cells if c.tap == depth.label and c.mode == mode]
            row[mode] = {
                **_means([c.score for c in cells]),
                "converged": sum(c.converged for c in cells),
                "pictures": len(cells),
                "milliseconds": median([c.milliseconds for c in cells]) if cells else None,
            }
        for kind in ("shrink and enlarge", "mean colour"):
            found = [y.score for y in self.yardsticks if y.tap == depth.label and y.kind == kind]
            row[kind] = _means(found)
        return row


def _means(scores: Iterable[Score | None]) -> dict[str, float | None]:
    """Mean of each number; None where any picture has none, so that a mean never hides a refusal."""
    found = list(scores)
    getters: dict[str, Callable[[Score], float | None]] = {
        "psnr": lambda s: s.psnr,
        "ssim": lambda s: s.ssim,
        "picture_error": lambda s: s.picture_error,
        "feature_error": lambda s: s.feature_error,
    }
    return {name: _mean([None if s is None else get(s) for s in found]) for name, get in getters.items()}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
