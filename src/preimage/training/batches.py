"""Training data in a fixed, reproducible order, of which every process takes its share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset, default_collate

from preimage.errors import NonFiniteError, ShapeError
from preimage.training.fingerprint import of_tensors

Batch = tuple[Tensor, ...]


class Rows(Protocol):
    """Anything with a length whose items can be asked for: a tensor, an array, a ``Dataset``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Table:
    """Tensors with one row for each example: data, and their context if there is one.

    Args:
        columns: tensors or arrays ``(N, ...)`` of one length.

    Raises:
        ShapeError: no rows, or the lengths differ.
        NonFiniteError: a value is NaN or infinite, with the rows.
    """

    def __init__(self, *columns: Any) -> None:
        self.columns = tuple(_tensor(column) for column in columns)
        lengths = {len(column) if column.dim() else 0 for column in self.columns}
        if len(lengths) > 1 or 0 in lengths:
            raise ShapeError(
                f"fit: data and context have {sorted(lengths)} rows, wanted one number of 1 or more"
            )
        for column in self.columns:
            _check_finite(column)

    def __len__(self) -> int:
        return len(self.columns[0])

    def rows(self, index: Tensor) -> Batch:
        """The rows of an index ``(B,)``."""
        return tuple(column[index] for column in self.columns)

    def fingerprint(self) -> str:
        """What tells these rows from others, see :func:`~preimage.training.fingerprint.of_tensors`."""
        return of_tensors(self.columns)


class Examples:
    """A ``Dataset`` of examples, or of tuples of example and context.

    Args:
        dataset: anything with a length and items, such as a ``torch.utils.data.Dataset``.
    """

    def __init__(self, dataset: Rows) -> None:
        self.dataset = dataset
        if len(dataset) == 0:
            raise ShapeError("fit: the data set is empty, wanted 1 example or more")

    def __len__(self) -> int:
        return len(self.dataset)

    def rows(self, index: Tensor) -> Batch:
        """The examples of an index ``(B,)``, side by side."""
        came = default_collate([self.dataset[i] for i in index.tolist()])
        batch = tuple(came) if isinstance(came, list | tuple) else (came,)
        for column in batch:
            _check_finite(column)
        return batch

    def fingerprint(self) -> str:
        """Their number alone: what a ``Dataset`` gives may be drawn anew every time."""
        return f"{len(self)} examples"


Source = Table | Examples


def as_source(data: Any, context: Any = None) -> Source:
    """Training data of any usual kind as something that gives rows by index.

    Args:
        data: tensor or array ``(N, *event)``, a data frame of numbers, or a ``Dataset`` of examples or of
            tuples (example, context).
        context: tensor or array ``(N, ...)``, for data that are not a ``Dataset``.

    Raises:
        TypeError: data of another kind.

    Example:
        >>> len(as_source(torch.zeros(5, 2)))
        5
    """
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    if isinstance(data, TensorDataset) and context is None:
        return Table(*data.tensors)
    if isinstance(data, Tensor | np.ndarray):
        return Table(data) if context is None else Table(data, context)
    if hasattr(data, "__len__") and hasattr(data, "__getitem__") and context is None:
        if isinstance(data, Sequence) and data and not isinstance(data[0], Tensor | np.ndarray | tuple):
            return Table(np.asarray(data))
        return Examples(data)
    raise TypeError(
        f"fit: data are {type(data).__name__}, wanted a tensor or array (N, ...), or a Dataset with a length"
        " and items; a stream can be read into a tensor first"
    )


class Batches:
    """The batches of every epoch, in an order that only the seed and the epoch decide.

    Because of that, a run can go on in the middle of an epoch, and several processes can each take their
    share of every batch without talking.

    Args:
        source: the data.
        index: rows that belong to this set ``(M,)``.
        batch_size: rows of a batch over all processes.
        seed: of the order.
    """

    def __init__(self, source: Source, index: Tensor, batch_size: int, seed: int) -> None:
        self.source, self.index, self.seed = source, index, seed
        self.batch_size = min(batch_size, len(index))

    def __len__(self) -> int:
        """Batches in an epoch; rows that do not fill one wait for another epoch's order."""
        return len(self.index) // self.batch_size

    def epoch(self, epoch: int, first: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of an epoch from the one numbered ``first``, the share of one process of each."""
        order = self.index[torch.randperm(len(self.index), generator=_generator(self.seed, epoch))]
        for number in range(first, len(self)):
            whole = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self.source.rows(torch.tensor_split(whole, world)[rank])

    def in_order(self, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Every row once, for validation."""
        for whole in self.index.split(self.batch_size):
            share = torch.tensor_split(whole, world)[rank]
            if len(share):
                yield self.source.rows(share)


def hold_out(rows: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to train on and rows to validate with, chosen by the seed.

    Example:
        >>> [len(part) for part in hold_out(10, 0.2, seed=0)]
        [8, 2]
    """
    order = torch.randperm(rows, generator=_generator(seed, -1))
    held = min(round(rows * share), rows - 1)
    return order[held:], order[:held]


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch + 1) % 2**63)


def _tensor(column: Any) -> Tensor:
    """A tensor; an array that cannot be written to, or runs backwards, is copied."""
    if isinstance(column, np.ndarray):
        column = np.require(column, requirements=["C", "W"])
    return torch.as_tensor(column)


def _check_finite(column: Tensor) -> None:
    if not column.is_floating_point() or column.isfinite().all():
        return
    bad = (~column.isfinite().reshape(len(column), -1).all(dim=1)).nonzero().flatten()
    raise NonFiniteError(
        f"fit: {len(bad)} rows hold NaN or infinity, the first is row {bad[0].item()}; remove them or fill"
        " them in first"
    )
