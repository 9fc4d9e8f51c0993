"""The data a calibrated inverse learns its statistics from, split by source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from preimage.errors import NonFiniteError, ShapeError

Data = Tensor | np.ndarray | Sequence[Any] | Dataset[Any] | DataLoader[Any]
"""Where calibration inputs may come from."""


def gathered(data: Data) -> Tensor:
    """All inputs of a data set as one tensor, labels left aside.

    Args:
        data: a tensor or array ``(N, *event)``, a list of inputs ``event``, a ``Dataset`` of inputs or of
            tuples that begin with one, or a ``DataLoader`` of batches of either.

    Returns:
        ``(N, *event)``.

    Raises:
        ShapeError: for anything else, or inputs of different shapes.

    Example:
        >>> import torch
        >>> labelled = torch.utils.data.TensorDataset(torch.zeros(6, 3), torch.arange(6))
        >>> gathered(labelled).shape, gathered(torch.utils.data.DataLoader(labelled, batch_size=4)).shape
        (torch.Size([6, 3]), torch.Size([6, 3]))
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray):
        return torch.as_tensor(data)
    batched = isinstance(data, DataLoader)
    inputs = [_input(item) for item in (data if batched else _items(data))]
    if not inputs or len({tuple(x.shape[batched:]) for x in inputs}) != 1:
        shapes = sorted({str(tuple(x.shape[batched:])) for x in inputs})
        raise ShapeError(f"calibration data has inputs of the shapes {shapes}; one shape was wanted")
    return torch.cat(inputs) if batched else torch.stack(inputs)


def _items(data: Any) -> Iterator[Any]:
    if isinstance(data, str | dict) or not (hasattr(data, "__getitem__") or hasattr(data, "__iter__")):
        raise ShapeError(
            f"calibration data is of type {type(data).__name__}; a tensor (N, *event), an array, a list of"
            " inputs, a Dataset or a DataLoader was wanted"
        )
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return (data[i] for i in range(len(data)))
    return iter(data)


def _input(item: Any) -> Tensor:
    """The input of one item: the item itself, or the first of a tuple."""
    first = item[0] if isinstance(item, list | tuple) and item else item
    try:
        return torch.as_tensor(first)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(
            f"calibration data holds {type(first).__name__}; tensors or arrays were wanted: for pictures give"
            " the data set a transform that turns them into the network's inputs"
        ) from error


@dataclass(frozen=True)
class Calibration:
    """Inputs of the network with the source each one came from.

    Several crops of one picture share its group: the strength of the regularisation is chosen on held-out
    *groups*, because held-out crops of a seen picture would flatter it.

    Args:
        x: inputs, ``(N, *event)``; :func:`gathered` makes them of a data set.
        groups: integer source of each input, ``(N,)``; by default each input is its own source.
        batch: inputs that are run through the network at once.

    Example:
        >>> import torch
        >>> Calibration(torch.zeros(5, 3), batch=2).batches
        3
    """

    x: Tensor
    groups: Tensor | None = None
    batch: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", gathered(self.x))
        if self.groups is not None:
            object.__setattr__(self, "groups", torch.as_tensor(self.groups))
        if self.x.dim() == 0 or self.x.shape[0] < 2:
            raise ShapeError(
                f"calibration data has shape {tuple(self.x.shape)}; at least two inputs were wanted"
            )
        if self.groups is not None and tuple(self.groups.shape) != (self.x.shape[0],):
            raise ShapeError(
                f"groups has shape {tuple(self.groups.shape)}; ({self.x.shape[0]},) was wanted,"
                " one for each input"
            )
        if not bool(torch.isfinite(self.x).all()):
            raise NonFiniteError("calibration data holds NaN or infinity; finite numbers were wanted")

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        groups = torch.arange(self.x.shape[0]) if self.groups is None else self.groups
        for start in range(0, self.x.shape[0], self.batch):
            yield self.x[start : start + self.batch], groups[start : start + self.batch]

    @property
    def batches(self) -> int:
        """How many batches one pass has."""
        return -(-self.x.shape[0] // self.batch)
