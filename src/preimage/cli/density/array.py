"""Arrays of numbers: rows of a table, signals, pictures of real numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from preimage.cli.density.choice import Choice
from preimage.cli.density.frame import selected
from preimage.cli.density.material import Material
from preimage.errors import DataFileError
from preimage.flows import PRESETS
from preimage.flows.report import Report, describe

BATCH = 512
FINE = 1e4  # means so many deviations from zero leave float32 fewer than three digits


class ArrayLike(Material):
    """Rows of one shape, with the context of each if there is one.

    Args:
        x: data ``(N, *event)``.
        context: conditioning values ``(N, K)``, or None.
        names: of the numbers of a row; counted where there are none.
        context_names: of the numbers of the context.
    """

    def __init__(
        self,
        x: Tensor,
        context: Tensor | None = None,
        names: Sequence[str] = (),
        context_names: Sequence[str] = (),
    ) -> None:
        self.x, self.context = x, context
        self.names, self.context_names = list(names), list(context_names)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return tuple(self.x.shape[1:])

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> Self:
        """Rows by number."""
        context = None if self.context is None else self.context[index]
        return type(self)(self.x[index], context, self.names, self.context_names)

    def arguments(self, preset: str) -> dict[str, Any]:
        """Shape and context."""
        self._refuse_constants()
        known = inspect.signature(PRESETS[preset]).parameters
        shape = (
            {"features": self.event_shape[0]} if "features" in known else {"event_shape": self.event_shape}
        )
        if "event_shape" in known and len(self.event_shape) == 1:
            shape = {"event_shape": self.event_shape[0]}
        shape |= {} if self.context is None else {"context": self.context.shape[1]}
        return shape | (_levels(self.event_shape) if preset == "glow" and len(self.event_shape) > 1 else {})

    def _refuse_constants(self) -> None:
        """Refuse numbers of vectors that never vary: they have no density.

        Raises:
            DataFileError: with the name of the first.
        """
        if len(self.event_shape) != 1 or len(self) < 2:
            return
        constant = (self.x == self.x[0]).all(0).nonzero().flatten().tolist()
        if constant:
            name = self.names[constant[0]] if self.names else f"x{constant[0]}"
            raise DataFileError(
                f"column {name!r} has only the value {self.x[0, constant[0]].item():g}, which has no"
                " density; choose others with --columns"
            )

    def fit(self, model: Any, validation: Any, settings: Mapping[str, Any]) -> None:
        """By maximum likelihood."""
        model.to(self._dtype())
        held = None if validation is None else (validation.x, validation.context)
        model.fit(self.x, context=self.context, validation=held, **settings)

    def _dtype(self) -> torch.dtype:
        """float64 for numbers far from zero, which have no digits left in float32."""
        x = self.x.double().flatten(1)
        far = (x.mean(0).abs() > FINE * x.std(0)).any()
        return torch.float64 if far else torch.float32

    @torch.no_grad()
    def log_prob(self, model: Any, draws: int) -> np.ndarray:
        """Batch by batch; the bound over several draws where it is one."""
        draws = draws if model.likelihood == "bound" else 1
        parts = []
        for start in range(0, len(self), BATCH):
            x, context = self._batch(model, start)
            each = torch.stack([model.log_prob(x, context) for _ in range(draws)])
            parts.append(each.logsumexp(0) - np.log(draws))
        return torch.cat(parts).double().numpy()

    def _batch(self, model: Any, start: int) -> tuple[Tensor, Tensor | None]:
        dtype = next(model.parameters()).dtype
        x = self.x[start : start + BATCH]
        x = x if model.surjection is not None and not x.is_floating_point() else x.to(dtype)
        return x, None if self.context is None else self.context[start : start + BATCH].to(dtype)

    def describe(self, model: Any, title: str, count: int, seed: int) -> Report:
        """Numbers against samples."""
        return describe(model, self.x, self.context, names=self.names, title=title, count=count, seed=seed)

    def note(self) -> dict[str, Any]:
        """Names and shape."""
        return {"names": self.names, "context": self.context_names, "event_shape": list(self.event_shape)}

    def scored(self, log_prob: np.ndarray) -> dict[str, np.ndarray]:
        """The numbers of rows that are vectors, and the log-density."""
        found: dict[str, np.ndarray] = {}
        if len(self.event_shape) == 1:
            table = self.x.double().numpy()
            names = self.names or [f"x{number}" for number in range(table.shape[1])]
            found = {name: table[:, number] for number, name in enumerate(names)}
        if self.context is not None:
            found |= dict(zip(self.context_names, self.context.double().numpy().T, strict=True))
        return found | {"log_prob": log_prob}


@final
class Array(ArrayLike):
    """Rows of real numbers."""

    kind, preset = "arrays", "nsf"

    @classmethod
    def read(cls, path: Path, choice: Choice) -> Array:
        """The array in a file of NumPy: ``.npy``, or ``.npz`` with one array or with data and context.

        Args:
            path: the file.
            choice: numbers of the columns to keep, all by default, and of those to condition on.

        Raises:
            DataFileError: it cannot be read, or lacks a column.
        """
        choice.refuse_kinds(f"{path} is an array")
        columns, context = choice.columns, choice.context
        x, given = _arrays(path)
        if columns or context:
            if x.ndim != 2 or given is not None:
                raise DataFileError(
                    f"{path}: has shape {x.shape}; --columns and --context need (rows, columns)"
                )
            told = _numbers(path, context, x.shape[1])
            kept = _numbers(path, columns, x.shape[1]) or [n for n in range(x.shape[1]) if n not in told]
            names, context_names = [f"x{n}" for n in kept], [f"x{n}" for n in told]
            rest = torch.from_numpy(x[:, told]) if told else None
            return cls(torch.from_numpy(x[:, kept]), rest, names, context_names)
        told = None if given is None else torch.from_numpy(given)
        return cls(
            torch.from_numpy(x), told, (), [] if given is None else [f"c{n}" for n in range(given.shape[1])]
        )

    @classmethod
    def of_frame(cls, path: Path, choice: Choice) -> Array:
        """A table of numbers only.

        Raises:
            DataFileError: a column holds something else, or numbers are missing.
        """
        replace(choice, drop=()).refuse_kinds("another preset was chosen")
        context = list(choice.context)
        frame = selected(path, choice)
        wrong = [name for name in frame.columns if frame[name].dtype.kind not in "iufb"]
        if wrong:
            raise DataFileError(
                f"{path}: column {wrong[0]!r} holds {frame[wrong[0]].dtype}, wanted numbers; choose others"
                " with --columns, or leave --preset out, whose default takes columns of every kind"
            )
        gone = [name for name in frame.columns if frame[name].isna().any()]
        if gone:
            raise DataFileError(
                f"{path}: values of column {gone[0]!r} are missing; fill them in, or leave --preset out,"
                " whose default learns which are missing"
            )
        names = [name for name in frame.columns if name not in context]
        told = _tensor(frame[context]) if context else None
        return cls(_tensor(frame[names]), told, names, context)

    def presets(self) -> Mapping[str, Callable[..., nn.Module]]:
        """Those for vectors, or those for signals and pictures."""
        return _presets(
            "features" if len(self.event_shape) == 1 else "event_shape", len(self.event_shape) == 1
        )


def _tensor(frame: Any) -> Tensor:
    return torch.from_numpy(np.array(frame.to_numpy(dtype=np.float64)))


def _presets(parameter: str, vectors: bool) -> dict[str, Callable[..., nn.Module]]:
    found = {}
    for name, build in PRESETS.items():
        known = inspect.signature(build).parameters
        if parameter in known or (vectors and name == "glow"):
            found[name] = build
    return found


def _levels(shape: tuple[int, ...]) -> dict[str, Any]:
    """As many levels of Glow as the sizes of space can be halved, three at most."""
    halvings = [(size & -size).bit_length() - 1 for size in shape[1:]]
    if min(halvings) == 0:
        sizes = "x".join(str(size) for size in shape[1:])
        raise DataFileError(
            f"glow halves its pictures, but these are {sizes}; give --size, such as --size 32"
        )
    return {"levels": min(3, *halvings)}


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        came: Any = np.load(path, allow_pickle=False)
        named = {} if isinstance(came, np.ndarray) else {name: came[name] for name in came.files}
    except FileNotFoundError as error:
        raise DataFileError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError) as error:
        said = str(error).strip().split("\n")[0]
        raise DataFileError(f"{path}: cannot be read as an array of numbers: {said}") from error
    if isinstance(came, np.ndarray):
        return _rows(path, came), None
    if len(named) == 1:
        return _rows(path, *named.values()), None
    if set(named) != {"data", "context"} or len(named["data"]) != len(named["context"]):
        raise DataFileError(
            f"{path}: holds {sorted(named)}, wanted one array, or data and context of as many rows"
        )
    return _rows(path, named["data"]), _rows(path, named["context"]).reshape(len(named["context"]), -1)


def _rows(path: Path, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "iufb" or not x.ndim or not x.size:
        raise DataFileError(f"{path}: holds {x.dtype} of shape {x.shape}, wanted numbers (rows, ...)")
    bad = ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if bad.any():
        raise DataFileError(
            f"{path}: {int(bad.sum())} rows hold NaN or infinity, the first is row {int(bad.argmax())};"
            " remove them, or give a table, whose default preset learns which values are missing"
        )
    x = x[:, None] if x.ndim == 1 else x
    return x if x.dtype == np.uint8 and x.ndim == 4 else np.ascontiguousarray(x, dtype=np.float64)


def _numbers(path: Path, columns: Sequence[str], count: int) -> list[int]:
    found = [int(name.removeprefix("x")) if name.removeprefix("x").isdigit() else -1 for name in columns]
    wrong = [name for name, number in zip(columns, found, strict=True) if not 0 <= number < count]
    if wrong:
        raise DataFileError(f"{path}: has no column {wrong[0]!r}, wanted numbers from 0 to {count - 1}")
    return found
