"""The measurement: every picture through every tap and back in every mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preimage.certificate import Certificate
from preimage.errors import PreimageError
from preimage.gallery.engine import Engine
from preimage.gallery.metrics import feature_error, pairwise_distance, psnr, ssim
from preimage.gallery.progress import Progress
from preimage.gallery.records import Cell, Depth, Mode, Score, Yardstick
from preimage.gallery.yardsticks import mean_colour, shrink_and_enlarge, spatial_size
from preimage.zoo import Preprocessing

Kind = Literal["shrink and enlarge", "mean colour"]


@dataclass(frozen=True)
class Effort:
    """How hard the refined column tries.

    Args:
        tol: relative residual at which a refinement is called converged.
        products: largest number of Jacobian products for one picture and tap.
    """

    tol: float = 1e-5
    products: int = 40


@dataclass
class Measurement:
    """Numbers of a gallery in the making, and its pictures ``(H, W, 3)`` by picture, tap and kind."""

    originals: dict[str, NDArray[np.uint8]]
    depths: tuple[Depth, ...]
    distance: float | None
    cells: list[Cell] = field(default_factory=list)
    yardsticks: list[Yardstick] = field(default_factory=list)
    ghosts: dict[tuple[str, str, str], NDArray[np.uint8]] = field(default_factory=dict)


def measure(
    engine: Engine,
    preprocessing: Preprocessing,
    inputs: Mapping[str, Tensor],
    *,
    depths: Sequence[Depth],
    effort: Effort,
    progress: Progress,
) -> Measurement:
    """Invert every picture from every depth in every mode, and measure both axes of each answer.

    Args:
        engine: the inverse.
        preprocessing: of the network, for picture values.
        inputs: picture name to network input ``(C, H, W)``.
        depths: where to invert from.
        effort: of the refined column.
        progress: told after each picture and depth.

    Returns:
        Everything measured.

    Cost: three inverses and six forward passes per picture and depth.
    """
    unit = preprocessing.to_unit(torch.stack(list(inputs.values())))
    originals = {name: preprocessing.to_picture(x) for name, x in inputs.items()}
    result = Measurement(originals, tuple(depths), pairwise_distance(unit))
    progress.stage("inverting", len(depths) * len(inputs))
    for depth in depths:
        for name, x in inputs.items():
            judge = Judge(engine, preprocessing, x[None], depth.label, result.distance)
            _measure_one(result, judge, name, depth, _answers(engine, judge.features, depth.label, effort))
            progress.step(f"{depth.label}, {name}")
    return result


def _measure_one(
    result: Measurement, judge: Judge, picture: str, depth: Depth, answers: Mapping[Mode, Answer]
) -> None:
    """Score and keep the answers and the yardsticks of one picture at one depth."""
    yardsticks = judge.yardsticks(spatial_size(depth.shape))
    given = {mode: answer.x for mode, answer in answers.items() if answer.x is not None}
    scores = judge.scores({**given, **yardsticks})
    for mode, answer in answers.items():
        result.cells.append(answer.cell(picture, depth.label, mode, scores.get(mode)))
    for kind in yardsticks:
        score = scores[kind]
        if score is not None:
            result.yardsticks.append(Yardstick(picture, depth.label, kind, score))
    for kind, x in {**given, **yardsticks}.items():
        result.ghosts[picture, depth.label, kind] = judge.to_picture(x)


@dataclass(frozen=True)
class Answer:
    """What an inverse returned for one picture, or why it refused."""

    x: Tensor | None
    residual: float
    converged: bool
    message: str
    milliseconds: float

    def cell(self, picture: str, tap: str, mode: Mode, score: Score | None) -> Cell:
        """The record of this answer."""
        return Cell(picture, tap, mode, score, self.residual, self.converged, self.message, self.milliseconds)


@final
class Judge:
    """Measures reconstructions of one picture from one depth on both axes.

    Args:
        engine: for the features.
        preprocessing: for picture values.
        x: the picture, ``(1, C, H, W)``.
        tap: label of the depth.
        distance: mean distance between shown pictures, or None.
    """

    def __init__(
        self, engine: Engine, preprocessing: Preprocessing, x: Tensor, tap: str, distance: float | None
    ) -> None:
        self._engine, self._preprocessing, self._tap, self._distance = engine, preprocessing, tap, distance
        self._unit = preprocessing.to_unit(x)
        self.features = self._see(x)

    def yardsticks(self, size: tuple[int, int]) -> dict[Kind, Tensor]:
        """Network inputs ``(1, C, H, W)`` that need no inverse."""
        return {
            "shrink and enlarge": self._preprocessing.from_unit(shrink_and_enlarge(self._unit, size)),
            "mean colour": self._preprocessing.from_unit(mean_colour(self._unit)),
        }

    def scores(self, candidates: Mapping[str, Tensor]) -> dict[str, Score | None]:
        """Both axes of each candidate ``(1, C, H, W)``; None for one that is not finite."""
        finite = {name: x for name, x in candidates.items() if bool(torch.isfinite(x).all())}
        found = self._score_batch(torch.cat(list(finite.values()))) if finite else []
        return dict.fromkeys(candidates) | dict(zip(finite, found, strict=True))

    def to_picture(self, x: Tensor) -> NDArray[np.uint8]:
        """One candidate as a picture."""
        return self._preprocessing.to_picture(x[0])

    def _score_batch(self, x: Tensor) -> list[Score]:
        """One score for each of several candidates ``(M, C, H, W)``."""
        unit = self._preprocessing.to_unit(x)
        truth = self._unit.expand_as(unit)
        large = min(unit.shape[-2:]) >= 11
        columns = torch.stack(
            [
                psnr(truth, unit),
                ssim(truth, unit) if large else torch.full((len(unit),), float("nan"), dtype=torch.double),
                torch.linalg.vector_norm((unit - truth).double().flatten(1), dim=1),
                feature_error(self._see(x), self.features.expand(len(unit), *self.features.shape[1:])),
            ]
        )
        return [
            Score(decibels, likeness, away / self._distance if self._distance else None, features)
            for decibels, likeness, away, features in columns.T.tolist()
        ]

    def _see(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self._engine.features(x, taps=[self._tap])[self._tap]


def _answers(engine: Engine, y: Tensor, tap: str, effort: Effort) -> dict[Mode, Answer]:
    """The three modes in order."""
    free = _timed(lambda: engine.data_free(y, tap=tap))
    calibrated = _timed(lambda: engine.calibrated(y, tap=tap))
    start = _start(free, calibrated)
    refined = _timed(
        lambda: engine.solve(y, tap=tap, tol=effort.tol, start=start, max_products=effort.products)
    )
    return {"data-free": free, "calibrated": calibrated, "refined": refined}


def _start(free: Answer, calibrated: Answer) -> Tensor | None:
    """Where the refinement starts: at a proven data-free answer, else at the calibrated one, else at any."""
    usable = [a for a in (calibrated, free) if a.x is not None and bool(torch.isfinite(a.x).all())]
    proven = [a for a in usable if a is free and a.converged]
    return next((a.x for a in (*proven, *usable)), None)


def _timed(invert: Callable[[], tuple[Tensor, Certificate]]) -> Answer:
    begun = time.perf_counter()
    try:
        x, certificate = invert()
    except PreimageError as error:
        return Answer(None, float("nan"), False, str(error), _since(begun))
    return Answer(x, float(certificate.residual[0]), certificate.ok, certificate.message, _since(begun))


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
