"""Pictures of bytes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from torch import Tensor, nn

from preimage.cli.density.array import ArrayLike
from preimage.cli.density.choice import Choice
from preimage.datasets.pictures import read_pictures
from preimage.flows import PRESETS


@final
class Pictures(ArrayLike):
    """Pictures ``(N, C, H, W)`` in uint8, with names of files instead of names of columns."""

    kind, preset = "pictures", "glow"

    @classmethod
    def read(cls, path: Path, choice: Choice) -> Pictures:
        """The pictures of a folder.

        Raises:
            DataFileError: sizes differ, or columns are asked for.
        """
        choice.refuse_columns("pictures have no columns")
        names, pictures = read_pictures(path, choice.size)
        return cls(pictures, None, names)

    def take(self, index: Tensor) -> Self:
        """Pictures by number, with their names."""
        names = [self.names[number] for number in index.tolist()] if self.names else []
        return type(self)(self.x[index], None, names)

    def presets(self) -> Mapping[str, Callable[..., nn.Module]]:
        """Those that know grey levels."""
        return {
            name: build
            for name, build in PRESETS.items()
            if {"event_shape", "grey_levels"} <= set(inspect.signature(build).parameters)
        }

    def arguments(self, preset: str) -> dict[str, Any]:
        """Shape, and bytes."""
        return super().arguments(preset) | {"grey_levels": 256}

    def describe(self, model: Any, title: str, count: int, seed: int) -> Any:
        """Pictures beside samples."""
        from preimage.flows.report import describe

        return describe(model, self.x, title=title, count=min(count, 128), seed=seed)

    def note(self) -> dict[str, Any]:
        """The shape."""
        return {"names": [], "context": [], "event_shape": list(self.event_shape)}

    def scored(self, log_prob: np.ndarray) -> dict[str, np.ndarray]:
        """Names, log-densities and bits per dimension."""
        numbers = int(np.prod(self.event_shape)) * np.log(2)
        names = self.names or [str(number) for number in range(len(self))]
        return {
            "picture": np.array(names, dtype=object),
            "log_prob": log_prob,
            "bits_per_dim": -log_prob / numbers,
        }
