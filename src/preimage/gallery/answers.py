"""What inverses answered, and keeping it on disk, so that a second gallery of the same pictures is quick."""

from __future__ import annotations

import hashlib
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from preimage.certificate import Certificate
from preimage.errors import PreimageError
from preimage.gallery.records import Cell, Mode, Score


@dataclass(frozen=True)
class Answer:
    """What an inverse returned for one picture ``(1, C, H, W)``, or why it refused."""

    x: Tensor | None
    residual: float
    converged: bool
    message: str
    milliseconds: float

    def cell(self, picture: str, tap: str, mode: Mode, score: Score | None) -> Cell:
        """The record of this answer."""
        return Cell(picture, tap, mode, score, self.residual, self.converged, self.message, self.milliseconds)

    @property
    def usable(self) -> Tensor | None:
        """The answer where it is finite."""
        return self.x if self.x is not None and bool(torch.isfinite(self.x).all()) else None


Invert = Callable[[], tuple[Tensor, Certificate]]


def timed(invert: Invert, count: int) -> list[Answer]:
    """One answer per picture of a batch; its time is an equal share of the whole."""
    begun = time.perf_counter()
    try:
        x, certificate = invert()
    except PreimageError as error:
        return [Answer(None, float("nan"), False, str(error), _since(begun) / count)] * count
    share = _since(begun) / count
    evidence = zip(certificate.residual.tolist(), certificate.converged.tolist(), strict=True)
    return [
        Answer(x[i : i + 1].detach(), residual, converged, certificate.message, share)
        for i, (residual, converged) in enumerate(evidence)
    ]


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


class Memory(ABC):
    """Answers that need not be worked out again."""

    @abstractmethod
    def recall(self, words: tuple[str, ...], y: Tensor, invert: Invert) -> list[Answer]:
        """The answers to a question: ``words`` name the mode, the tap and the effort, y the features."""


@final
class Forgetful(Memory):
    """Keeps nothing."""

    def recall(self, words: tuple[str, ...], y: Tensor, invert: Invert) -> list[Answer]:
        """Work it out."""
        return timed(invert, len(y))


@final
class OnDisk(Memory):
    """Keeps answers in a folder, with the time that they took when they were worked out.

    A damaged file is worked out anew; a folder that cannot be written costs time, not the answer. Refusals
    are not kept.

    Args:
        folder: where; made when the first answer is kept.
        key: a fingerprint of everything else that answers depend on: weights, decoders, code.

    Cost: one hash over y, and one file of the size of the answers.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key

    def recall(self, words: tuple[str, ...], y: Tensor, invert: Invert) -> list[Answer]:
        """Read the answers, or work them out and keep them."""
        digest = hashlib.sha256("\n".join((self._key, *words, str(tuple(y.shape)))).encode())
        digest.update(y.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        path = self._folder / f"answers-{digest.hexdigest()[:32]}.safetensors"
        with suppress(SafetensorError, KeyError, ValueError, OSError):
            return _read(path)
        answers = timed(invert, len(y))
        if all(answer.x is not None for answer in answers):
            _keep(path, answers)
        return answers


def _read(path: Path) -> list[Answer]:
    with safe_open(path, framework="pt") as file:
        x, told = file.get_tensor("x"), json.loads(file.metadata()["answers"])
    return [Answer(row, *facts) for row, facts in zip(x.split(1), told, strict=True)]


def _keep(path: Path, answers: list[Answer]) -> None:
    facts = [[a.residual, a.converged, a.message, a.milliseconds] for a in answers]
    x = torch.cat([answer.x for answer in answers if answer.x is not None]).contiguous()
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"x": x}, draft, {"answers": json.dumps(facts)})
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
