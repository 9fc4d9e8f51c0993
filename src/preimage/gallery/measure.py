"""The measurement: every picture through every tap and back in every mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preimage.gallery.answers import Answer, Forgetful, Memory
from preimage.gallery.engine import Engine, Painter
from preimage.gallery.metrics import feature_error, pairwise_distance, psnr, ssim
from preimage.gallery.parallel import side_by_side
from preimage.gallery.progress import Progress
from preimage.gallery.records import MODES, Cell, Depth, Mode, Score, Yardstick
from preimage.gallery.yardsticks import mean_colour, shrink_and_enlarge, spatial_size
from preimage.zoo import Preprocessing

Kind = Literal["shrink and enlarge", "mean colour"]


@dataclass(frozen=True)
class Effort:
    """How hard the refined column tries.

    Args:
        tol: relative residual at which a refinement is called converged.
        products: largest number of Jacobian products for one picture and tap.
        batch: pictures inverted together.
    """

    tol: float = 1e-5
    products: int = 20
    batch: int = 8


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
    painter: Painter | None = None,
    memory: Memory | None = None,
) -> Measurement:
    """Invert every picture from every depth in every mode, and measure both axes of each answer.

    Args:
        engine: the inverse.
        preprocessing: of the network, for picture values.
        inputs: picture name to network input ``(C, H, W)``.
        depths: where to invert from.
        effort: of the refined column.
        progress: told after each mode and depth.
        painter: a trained decoder, which makes a mode of its own and begins the refined column; none by
            default.
        memory: of answers from earlier runs; none by default.

    Returns:
        Everything measured.

    Cost: three inverses and six forward passes per picture and depth.
    """
    unit = preprocessing.to_unit(torch.stack(list(inputs.values())))
    originals = {name: preprocessing.to_picture(x) for name, x in inputs.items()}
    result = Measurement(originals, tuple(depths), pairwise_distance(unit))
    groups, kept = _groups(list(inputs), effort.batch), memory or Forgetful()
    progress.stage("inverting", len(depths) * len(groups) * len(MODES))

    def one(job: tuple[Depth, list[str]]) -> Measurement:
        depth, names = job
        part = Measurement(originals, (depth,), result.distance)
        x = torch.stack([inputs[name] for name in names])
        y = _features(engine, x, depth.label)
        answers = _answers(engine, y, depth.label, effort, progress, kept, painter)
        if painter is not None:
            answers["painted"] = _painted(painter, y, depth.label, kept)
        for i, name in enumerate(names):
            given, wanted = x[i : i + 1], y[i : i + 1]
            judge = Judge(engine, preprocessing, given, wanted, tap=depth.label, distance=result.distance)
            _keep(part, judge, name, depth, {mode: found[i] for mode, found in answers.items()})
        return part

    for part in side_by_side(one, [(depth, names) for depth in depths for names in groups]):
        result.cells.extend(part.cells)
        result.yardsticks.extend(part.yardsticks)
        result.ghosts.update(part.ghosts)
    return result


def _groups(names: list[str], size: int) -> list[list[str]]:
    return [names[i : i + size] for i in range(0, len(names), size)]


def _features(engine: Engine, x: Tensor, tap: str) -> Tensor:
    with torch.no_grad():
        return engine.features(x, taps=[tap])[tap]


def _keep(
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


@final
class Judge:
    """Measures reconstructions of one picture from one depth on both axes.

    Args:
        engine: for the features.
        preprocessing: for picture values.
        x: the picture, ``(1, C, H, W)``.
        y: its features at the depth.
        tap: label of the depth.
        distance: mean distance between shown pictures, or None.
    """

    def __init__(
        self,
        engine: Engine,
        preprocessing: Preprocessing,
        x: Tensor,
        y: Tensor,
        *,
        tap: str,
        distance: float | None,
    ) -> None:
        self._engine, self._preprocessing, self._tap, self._distance = engine, preprocessing, tap, distance
        self._unit, self._features = preprocessing.to_unit(x), y

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
        seen = _features(self._engine, x, self._tap)
        columns = torch.stack(
            [
                psnr(truth, unit),
                ssim(truth, unit) if large else torch.full((len(unit),), float("nan"), dtype=torch.double),
                torch.linalg.vector_norm((unit - truth).double().flatten(1), dim=1),
                feature_error(seen, self._features.expand_as(seen)),
            ]
        )
        return [
            Score(decibels, likeness, away / self._distance if self._distance else None, features)
            for decibels, likeness, away, features in columns.T.tolist()
        ]


def _answers(
    engine: Engine,
    y: Tensor,
    tap: str,
    effort: Effort,
    progress: Progress,
    kept: Memory,
    painter: Painter | None,
) -> dict[Mode, list[Answer]]:
    """The three modes of every inverse, one answer per picture."""
    free = kept.recall(("data-free", tap), y, lambda: engine.data_free(y, tap=tap))
    progress.step(f"{tap}, data-free")
    calibrated = kept.recall(("calibrated", tap), y, lambda: engine.calibrated(y, tap=tap))
    progress.step(f"{tap}, calibrated")
    if painter is not None and tap in painter.painted:
        solver, start, words = painter, _proven(free), ("refined", tap, str(effort), "painted")
    else:
        solver, start, words = engine, _starts(free, calibrated), ("refined", tap, str(effort))
    refined = kept.recall(
        words, y, lambda: solver.solve(y, tap=tap, tol=effort.tol, start=start, max_products=effort.products)
    )
    progress.step(f"{tap}, refined")
    return {"data-free": free, "calibrated": calibrated, "refined": refined}


def _proven(free: list[Answer]) -> Tensor | None:
    """The data-free answers where all of them are proven; a painter begins with its own elsewhere."""
    found = [answer.usable for answer in free if answer.converged and answer.usable is not None]
    return torch.cat(found) if len(found) == len(free) else None


def _painted(painter: Painter, y: Tensor, tap: str, kept: Memory) -> list[Answer]:
    """The decoder's answers; refused at depths for which it was not trained."""
    if tap not in painter.painted:
        words = f"the decoder was not trained for {tap}"
        return [Answer(None, float("nan"), False, words, float("nan"))] * len(y)
    return kept.recall(("painted", tap), y, lambda: painter.calibrated(y, tap=tap))


def _starts(free: list[Answer], calibrated: list[Answer]) -> Tensor | None:
    """Where the refinement of each picture starts; None where there is nothing to start from."""
    starts = [_start(*pair) for pair in zip(free, calibrated, strict=True)]
    found = [start for start in starts if start is not None]
    if not found:
        return None
    return torch.cat([torch.zeros_like(found[0]) if start is None else start for start in starts])


def _start(free: Answer, calibrated: Answer) -> Tensor | None:
    """At a proven data-free answer, else at the calibrated one, else at any."""
    order = (free, calibrated) if free.converged else (calibrated, free)
    return next((answer.usable for answer in order if answer.usable is not None), None)
