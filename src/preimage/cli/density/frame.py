"""Data frames with columns of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from preimage.cli.density.choice import Choice
from preimage.cli.density.material import Material
from preimage.datasets.frames import chosen, read_frame
from preimage.errors import DataFileError
from preimage.flows import TabularFlow
from preimage.flows.report import Report, describe
from preimage.flows.tables import infer_columns
from preimage.flows.tables.wanted import Kind


@final
class Frame(Material):
    """Rows of a table.

    Args:
        frame: of pandas.
        context: names of the columns that the density is conditioned on.
        kinds: of columns whose values do not show it.
    """

    kind, preset = "tables", "table"

    def __init__(
        self, frame: Any, context: Sequence[str] = (), kinds: Mapping[str, Kind] | None = None
    ) -> None:
        self.frame, self.context, self.kinds = frame, list(context), dict(kinds or {})

    @classmethod
    def read(cls, path: Path, choice: Choice) -> Frame:
        """The table in a file.

        Raises:
            DataFileError: it cannot be read, or lacks a column.
        """
        frame = selected(path, choice)
        chosen(path, list(frame.columns), [*choice.kinds])
        return cls(frame, choice.context, choice.kinds)

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: Tensor) -> Self:
        """Rows by number."""
        return type(self)(self.frame.iloc[index.tolist()].reset_index(drop=True), self.context, self.kinds)

    def presets(self) -> Mapping[str, Callable[..., nn.Module]]:
        """One density for columns of every kind."""
        return {"table": TabularFlow}

    def arguments(self, preset: str) -> dict[str, Any]:
        """The kinds of the columns, as they were given or inferred from all rows."""
        del preset
        found = {column.name: column for column in infer_columns(self.frame, self.kinds)}
        context = [found.pop(name) for name in self.context]
        return {"columns": list(found.values()), "context": context}

    def fit(self, model: TabularFlow, validation: Any, settings: Mapping[str, Any]) -> None:
        """In the units of the columns."""
        model.fit(self.frame, validation=None if validation is None else validation.frame, **settings)

    @torch.no_grad()
    def log_prob(self, model: TabularFlow, draws: int) -> np.ndarray:
        """In the units of the columns."""
        return model.log_prob(self.frame, draws).double().numpy()

    def describe(self, model: TabularFlow, title: str, count: int, seed: int) -> Report:
        """Columns of every kind against samples."""
        return describe(model, self.frame, title=title, count=count, seed=seed)

    def note(self) -> dict[str, Any]:
        """The names of the columns."""
        names = [name for name in self.frame.columns if name not in self.context]
        return {"names": names, "context": self.context}

    def scored(self, log_prob: np.ndarray) -> dict[str, np.ndarray]:
        """All columns, then the log-density."""
        return {name: self.frame[name].to_numpy() for name in self.frame.columns} | {"log_prob": log_prob}


def selected(path: Path, choice: Choice) -> Any:
    """The table in a file, with the columns that were chosen.

    Raises:
        DataFileError: it cannot be read, lacks a column, or a column is chosen for two things.
    """
    _refuse_both("--columns", choice.columns, "--context", choice.context)
    _refuse_both("--columns", choice.columns, "--drop", choice.drop)
    _refuse_both("--context", choice.context, "--drop", choice.drop)
    frame = read_frame(path, [*choice.columns, *choice.context] if choice.columns else ())
    known = list(frame.columns)
    chosen(path, known, choice.context)
    return frame.drop(columns=[] if choice.columns else chosen(path, known, choice.drop))


def _refuse_both(first: str, some: Sequence[str], second: str, others: Sequence[str]) -> None:
    both = sorted(set(some) & set(others))
    if both:
        raise DataFileError(f"columns {both} are given both as {first} and as {second}; choose one")
