"""Data frames with columns of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from preimage.cli.density.material import Material
from preimage.datasets.frames import chosen, read_frame
from preimage.errors import DataFileError
from preimage.flows import TabularFlow
from preimage.flows.report import Report, describe


@final
class Frame(Material):
    """Rows of a table.

    Args:
        frame: of pandas.
        context: names of the columns that the density is conditioned on.
    """

    kind, preset = "tables", "table"

    def __init__(self, frame: Any, context: Sequence[str] = ()) -> None:
        self.frame, self.context = frame, list(context)

    @classmethod
    def read(cls, path: Path, columns: Sequence[str], context: Sequence[str]) -> Frame:
        """The table in a file.

        Raises:
            DataFileError: it cannot be read, or lacks a column.
        """
        both = sorted(set(columns) & set(context))
        if both:
            raise DataFileError(f"columns {both} are given both as --columns and as --context; choose one")
        frame = read_frame(path, [*columns, *context] if columns else ())
        chosen(path, list(frame.columns), context)
        return cls(frame, context)

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: Tensor) -> Self:
        """Rows by number."""
        return type(self)(self.frame.iloc[index.tolist()].reset_index(drop=True), self.context)

    def presets(self) -> Mapping[str, Callable[..., nn.Module]]:
        """One density for columns of every kind."""
        return {"table": TabularFlow}

    def arguments(self, preset: str) -> dict[str, Any]:
        """The kinds of the columns, inferred from all rows."""
        del preset
        return {"columns": self.frame, "context": self.context}

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
