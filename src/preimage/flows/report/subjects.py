"""What a report needs to know of a flow and of data that it was not trained on."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from preimage.checks import as_tuple, unpack
from preimage.errors import ShapeError
from preimage.flows.flow import Flow
from preimage.flows.tables import TabularFlow
from preimage.flows.tables.infer import as_columns
from preimage.training.run import as_like

BATCH = 256
Columns = dict[str, np.ndarray]


class Subject(abc.ABC):
    """A flow together with held-out data.

    Args:
        flow: the flow, in evaluation mode.
        rows: of the data.
    """

    def __init__(self, flow: Any, rows: int) -> None:
        self.flow, self.rows = flow, rows

    @property
    @abc.abstractmethod
    def conditional(self) -> bool:
        """Whether samples need the context of a row."""

    @abc.abstractmethod
    def log_prob(self) -> Tensor:
        """The log-density of every row ``(N,)``."""

    @abc.abstractmethod
    def columns(self, rows: int) -> Columns:
        """The first rows of the data, by the names of their columns."""

    @abc.abstractmethod
    def samples(self, rows: int) -> Any:
        """So many samples, in the context of the first rows if there is one."""

    @abc.abstractmethod
    def sample_columns(self, samples: Any) -> Columns:
        """Samples by the names of their columns."""

    @abc.abstractmethod
    def latents(self, rows: int) -> tuple[Any, Any]:
        """The latents of the first rows, and as many draws of the base; see :func:`flat`."""

    def energies(self, latents: Any) -> np.ndarray:
        """Minus the log-densities of latents under the base ``(N,)``."""
        first = as_tuple(latents)[0]
        context = self.base_context(len(first))
        return -self._base().log_prob(latents, context).double().numpy()

    def base_context(self, rows: int) -> Any:
        """What the base is conditioned on, if anything."""
        del rows
        return None

    def _base(self) -> Any:
        return self.flow.base


class Arrays(Subject):
    """A flow and a tensor.

    Args:
        flow: the flow.
        x: held-out data ``(N, *event)``.
        context: of the rows ``(N, ...)``, where the flow has one.
        names: of the numbers of a row; by default they are counted.
    """

    def __init__(self, flow: Flow, x: Tensor, context: Any = None, names: Sequence[str] = ()) -> None:
        super().__init__(flow, len(x))
        numbers = x[0].numel()
        if names and len(names) != numbers:
            raise ShapeError(f"report: got {len(names)} names for {numbers} numbers a row")
        self.x = as_like(x, next(flow.parameters()))
        if flow.surjection is None and not x.is_floating_point():
            self.x = self.x.to(next(flow.parameters()).dtype)
        self.context = None if context is None else unpack(_like(part, flow) for part in as_tuple(context))
        self.names = list(names) or [f"x{number}" for number in range(numbers)]

    @property
    def conditional(self) -> bool:
        """Whether there is a context."""
        return self.context is not None

    def _given(self, start: int, stop: int) -> Any:
        return None if self.context is None else unpack(c[start:stop] for c in as_tuple(self.context))

    def log_prob(self) -> Tensor:
        """Batch by batch."""
        starts = range(0, self.rows, BATCH)
        parts = [self.flow.log_prob(self.x[i : i + BATCH], self._given(i, i + BATCH)) for i in starts]
        return torch.cat(parts).double().cpu()

    def columns(self, rows: int) -> Columns:
        """A column for each number."""
        return self.sample_columns(self.x[:rows])

    def samples(self, rows: int) -> Tensor:
        """One for each of the contexts, or so many."""
        return torch.cat([self._drawn(i, min(i + BATCH, rows)) for i in range(0, rows, BATCH)])

    def _drawn(self, start: int, stop: int) -> Tensor:
        given = self._given(start, stop)
        return self.flow.sample(stop - start) if given is None else self.flow.sample(1, given)[0]

    def sample_columns(self, samples: Tensor) -> Columns:
        """A column for each number."""
        table = samples.flatten(1).double().cpu().numpy()
        return {name: table[:, number] for number, name in enumerate(self.names)}

    def latents(self, rows: int) -> tuple[Any, Any]:
        """Encoded, and drawn."""
        z = self.flow.encode(self.x[:rows], self._given(0, rows))
        first = len(as_tuple(z)[0])
        return z, self._base().draw(first, self.base_context(first))

    def base_context(self, rows: int) -> Any:
        """The context of the first rows, embedded."""
        if self._base().context_domain is None:
            return None
        given = self._given(0, rows)
        return given if self.flow.embedding is None else self.flow.embedding(given)


def _like(part: Any, flow: Flow) -> Tensor:
    return as_like(torch.as_tensor(part), next(flow.parameters()))


@final
class Frames(Subject):
    """A flow of a table and a data frame.

    Args:
        flow: the flow.
        frame: held-out rows, with the columns of the context.
    """

    def __init__(self, flow: TabularFlow, frame: Any) -> None:
        self.frame = as_columns(frame)
        super().__init__(flow, len(next(iter(self.frame.values()))))

    @property
    def conditional(self) -> bool:
        """Whether there are columns of a context."""
        return bool(self.flow.context)

    def _first(self, rows: int, columns: Any) -> Columns:
        return {column.name: self.frame[column.name][:rows] for column in columns}

    def log_prob(self) -> Tensor:
        """In the units of the columns."""
        return self.flow.log_prob(self.frame).double().cpu()

    def columns(self, rows: int) -> Columns:
        """Columns of the density, then those of its context."""
        return self._first(rows, [*self.flow.columns, *self.flow.context])

    def samples(self, rows: int) -> Any:
        """One for each of the contexts, or so many."""
        if not self.flow.context:
            return self.flow.sample(rows)
        return self.flow.sample(1, self._first(rows, self.flow.context))

    def sample_columns(self, samples: Any) -> Columns:
        """In the order of :meth:`columns`."""
        found = as_columns(samples)
        return {column.name: found[column.name] for column in (*self.flow.columns, *self.flow.context)}

    def latents(self, rows: int) -> tuple[Any, Any]:
        """Encoded, and drawn."""
        z = self.flow.latents({name: values[:rows] for name, values in self.frame.items()})
        return z, self._base().draw(len(z))

    def _base(self) -> Any:
        return self.flow.flow.base


def flat(latents: Any) -> np.ndarray:
    """Latents, one tensor or several, as a table ``(N, D)``.

    Example:
        >>> flat((torch.zeros(2, 3), torch.zeros(2, 1, 4))).shape
        (2, 7)
    """
    return torch.cat([part.flatten(1) for part in as_tuple(latents)], dim=1).double().cpu().numpy()
