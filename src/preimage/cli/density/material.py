"""Data of one kind, and what a flow of that kind does with them."""

from __future__ import annotations

import abc
import difflib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor, nn

from preimage.errors import PreimageError
from preimage.flows.report import Report
from preimage.training import FitSettings

BY_DATA = frozenset({"features", "event_shape", "context", "columns"})
"""Arguments that the data decide."""


class Material(abc.ABC):
    """Rows of data, read and checked."""

    kind: ClassVar[str]
    preset: ClassVar[str]
    """The preset that is taken if none is named."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abc.abstractmethod
    def take(self, index: Tensor) -> Self:
        """The rows of an index ``(M,)``."""

    @abc.abstractmethod
    def presets(self) -> Mapping[str, Callable[..., nn.Module]]:
        """The presets that can learn such data, by name."""

    @abc.abstractmethod
    def arguments(self, preset: str) -> dict[str, Any]:
        """What the data themselves say about the arguments of a preset."""

    @abc.abstractmethod
    def fit(self, model: Any, validation: Any, settings: Mapping[str, Any]) -> None:
        """Train the model on the rows."""

    @abc.abstractmethod
    def log_prob(self, model: Any, draws: int) -> np.ndarray:
        """The log-density of every row ``(N,)``."""

    @abc.abstractmethod
    def describe(self, model: Any, title: str, count: int, seed: int) -> Report:
        """A report on a model, measured on these rows."""

    @abc.abstractmethod
    def note(self) -> dict[str, Any]:
        """What must be known to read such data again, as JSON can hold it."""

    @abc.abstractmethod
    def scored(self, log_prob: np.ndarray) -> dict[str, np.ndarray]:
        """The rows with their log-densities, by the names of the columns."""

    def build(self, preset: str | None, options: Sequence[str]) -> Any:
        """A new model for such data.

        Args:
            preset: its name; that of the kind by default.
            options: further arguments as ``name=value``.

        Raises:
            PreimageError: there is no such preset for these data, or an argument does not fit.
        """
        name = self.preset if preset is None else preset
        known = self.presets()
        check_preset(name, list(known), f" for {self.kind}")
        own = self.arguments(name)
        given = _options(name, options, known[name])
        with refused(f"--preset {name}"):
            return known[name](**own | given)


def check_preset(name: str, known: Sequence[str], where: str = "") -> None:
    """Refuse a preset that is not known.

    Raises:
        PreimageError: it is not; the nearest name is suggested.
    """
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise PreimageError(
            f"--preset {name}: no preset of this name{where}.{hint} There are {', '.join(known)}"
        )


def settings_of(**chosen: Any) -> dict[str, Any]:
    """Settings of a training run, checked.

    Raises:
        PreimageError: one is out of range.
    """
    with refused("train"):
        FitSettings(**chosen)
    return chosen


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Errors about the values of arguments as errors of the library."""
    try:
        yield
    except PreimageError:
        raise
    except (ValueError, TypeError) as error:
        raise PreimageError(f"{what}: {error}") from error


def _options(preset: str, options: Sequence[str], build: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(build).parameters
    known = set(parameters) - BY_DATA
    found: dict[str, Any] = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign or name not in known:
            raise PreimageError(
                f"--set {option}: wanted NAME=VALUE, where {preset} has {', '.join(sorted(known))}"
            )
        came = _value(value)
        listed = isinstance(parameters[name].default, list | tuple) and not isinstance(came, list)
        found[name] = [came] if listed else came
    return found


def _value(text: str) -> Any:
    """A number, a truth value or a list as JSON writes it; numbers with commas are a list; else the word."""
    for attempt in (text, f"[{text}]"):
        try:
            return json.loads(attempt)
        except ValueError:
            continue
    return text
