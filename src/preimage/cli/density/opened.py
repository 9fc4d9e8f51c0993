"""Models from folders, with what they need to read data and to write samples."""

from __future__ import annotations

import abc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from preimage import flows
from preimage.cli.density.blocks import blocks
from preimage.cli.density.choice import Choice
from preimage.cli.density.material import Material, refused
from preimage.cli.density.output import (
    check_columns_target,
    check_file_target,
    write_array,
    write_columns,
    write_pictures,
)
from preimage.cli.density.reading import read
from preimage.errors import ContextError, DataFileError, ModelFileError, OutputError
from preimage.flows import Flow, TabularFlow

NOTE = "data.json"
MOST_NOTE = 2**20  # bytes


@dataclass(frozen=True)
class Draw:
    """What to draw.

    Args:
        count: how many samples, for each row of the context if there is one.
        context: file of the values to condition on.
        temperature: below 1 for samples nearer to the mode.
        silent: whether there is no progress.
    """

    count: int
    context: Path | None = None
    temperature: float = 1.0
    silent: bool = True


class Opened(abc.ABC):
    """A model with the note about the data that it was trained on.

    Args:
        model: the model, in evaluation mode.
        note: names of columns, context and shape, as far as they are known.
    """

    def __init__(self, model: Any, note: dict[str, Any]) -> None:
        self.model, self.note = model, note

    @abc.abstractmethod
    def choice(self) -> Choice:
        """How data for the model are read."""

    @abc.abstractmethod
    def check_target(self, path: Path) -> None:
        """Refuse a place where samples could not be written."""

    @abc.abstractmethod
    def sample(self, draw: Draw, out: Path) -> int:
        """Write samples; returns how many."""

    def read(self, path: Path) -> Material:
        """Data as the model wants them."""
        return read(path, self.choice())


@final
class OpenedTable(Opened):
    """A density of a table."""

    def choice(self) -> Choice:
        """The columns of the density and of its context."""
        columns, context = ([c.name for c in part] for part in (self.model.columns, self.model.context))
        return Choice(columns, context)

    def check_target(self, path: Path) -> None:
        """A table."""
        check_columns_target(path)

    def sample(self, draw: Draw, out: Path) -> int:
        """Rows in the units of the columns."""
        if draw.temperature != 1:
            raise ContextError("--temperature is for flows of arrays and pictures, not for tables")
        given = self._context(draw.context)
        self.model.pandas = False
        parts = [
            self.model.sample(some, None if given is None else given.iloc[rows])
            for some, rows in blocks(draw.count, None if given is None else len(given), silent=draw.silent)
        ]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        write_columns(out, columns)
        return len(next(iter(columns.values())))

    def _context(self, path: Path | None) -> Any:
        names = self.choice().context
        if bool(names) != (path is not None):
            raise ContextError(
                f"the density is conditioned on {list(names) or 'nothing'}: "
                + ("give --context FILE with these columns" if names else "leave --context out")
            )
        return None if path is None else read(path, Choice(names)).frame  # pyright: ignore


@final
class OpenedFlow(Opened):
    """A flow of arrays or pictures."""

    def choice(self) -> Choice:
        """By the names that were noted, if there were any."""
        shape = self.note.get("event_shape") or []
        square = len(shape) == 3 and self._pictures() and shape[1] == shape[2]
        names, context = self.note.get("names", []), self.note.get("context", [])
        return Choice(names, context, shape[1] if square else None, numbers=True)

    def read(self, path: Path) -> Material:
        """Files have no size to be cut to, and arrays with a context of their own no columns."""
        wanted = self.choice()
        if not path.is_dir():
            wanted = Choice(wanted.columns, wanted.context, None, numbers=True)
        return read(path, wanted)

    def check_target(self, path: Path) -> None:
        """An array, a table of vectors, or a folder of pictures."""
        if path.suffix.lower() == ".npy":
            check_file_target(path)
        elif not self._pictures():
            check_columns_target(path)
        elif path.suffix:
            raise OutputError(f"{path}: wanted a folder for pictures, or a file .npy")

    def sample(self, draw: Draw, out: Path) -> int:
        """Arrays as they were trained on; pictures as PNG files or as an array of bytes."""
        with refused("sample"):
            model = self.model if draw.temperature == 1 else self.model.tempered(draw.temperature)
            given = self._context(draw.context)
            rows = None if given is None else len(given)
            parts = [
                _drawn(model, some, None if given is None else given[part])
                for some, part in blocks(draw.count, rows, silent=draw.silent)
            ]
        values = np.concatenate(parts)
        if self._pictures():
            values = values.round().clip(0, 255).astype(np.uint8)
        told = {} if given is None else self._told(given.repeat_interleave(draw.count, 0))
        self._write(out, values, told)
        return len(values)

    def _told(self, given: torch.Tensor) -> dict[str, np.ndarray]:
        """The columns of the context."""
        names = self.note.get("context") or [f"c{number}" for number in range(given.shape[1])]
        return dict(zip(names, given.double().numpy().T, strict=True))

    def _write(self, out: Path, values: np.ndarray, told: dict[str, np.ndarray]) -> None:
        if out.suffix.lower() == ".npy":
            write_array(out, values)
        elif self._pictures():
            write_pictures(out, values)
        else:
            table = values.reshape(len(values), -1)
            names = self.note.get("names") or [f"x{number}" for number in range(table.shape[1])]
            write_columns(out, told | dict(zip(names, table.T, strict=True)))

    def _context(self, path: Path | None) -> Any:
        wanted = self.model.bijection.context_domain or self.model.base.context_domain
        if (path is None) != (wanted is None):
            raise ContextError(
                "the flow has no context: leave --context out"
                if wanted is None
                else f"the flow is conditioned on {self.note.get('context') or 'a context'}: give --context"
            )
        if path is None:
            return None
        found = read(path, Choice(self.note.get("context", []), numbers=True))
        return found.x.to(next(self.model.parameters()).dtype)  # pyright: ignore

    def _pictures(self) -> bool:
        return getattr(self.model, "surjection", None) is not None


def _drawn(model: Flow, count: int, given: torch.Tensor | None) -> np.ndarray:
    """Samples, all of one row of the context after the other ``(count * B, *event)``."""
    drawn = model.sample(count, given)  # (count, *event) or (count, B, *event)
    return (drawn if given is None else drawn.transpose(0, 1).flatten(0, 1)).numpy()


def opened(folder: Path) -> Opened:
    """The model in a folder.

    Raises:
        ModelFileError: there is none, or it is broken.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: no such folder; give the one that train wrote")
    model = flows.from_pretrained(folder)
    note = _note(folder / NOTE)
    if isinstance(model, TabularFlow):
        return OpenedTable(model, note)
    if isinstance(model, Flow):
        return OpenedFlow(model, note)
    raise ModelFileError(f"{folder}: holds a {type(model).__name__}, wanted a flow or a table flow")


def _note(path: Path) -> dict[str, Any]:
    """What was noted beside the model; nothing where a model came without it."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < MOST_NOTE else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(key, []), list) for key in ("names", "context", "event_shape")
    ):
        raise DataFileError(f"{path}: not a note about data; remove it to do without names")
    return found
