"""Where the samples of a batch stand in a value: on which axis, and how many entries of it belong to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import SymInt, Tensor

PROBES = (2, 3, 7)
"""Batch sizes at which a symbolic size is read."""


@final
@dataclass(frozen=True)
class Layout:
    """A value whose axis ``axis`` has ``fold`` consecutive entries for each sample.

    Values of most networks have ``axis = 0, fold = 1``. Windowed attention folds windows into the batch axis,
    sequence-first networks keep the batch on axis 1.

    Args:
        axis: the axis that holds the samples.
        fold: entries of that axis that belong to one sample.

    Example:
        >>> import torch
        >>> sequence_first = Layout(axis=1)
        >>> sequence_first.samples(torch.zeros(7, 2, 3)), sequence_first.event((7, 2, 3))
        (2, (7, 3))
        >>> sequence_first.to_samples(torch.zeros(7, 2, 3)).shape
        torch.Size([2, 7, 3])
    """

    axis: int = 0
    fold: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether axis 0 is exactly the batch."""
        return self.axis == 0 and self.fold == 1

    def samples(self, value: Tensor) -> int:
        """How many samples a value holds."""
        return value.shape[self.axis] // self.fold

    def event(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Sizes of one entry: all axes but the one that holds the samples."""
        return (*sizes[: self.axis], *sizes[self.axis + 1 :])

    def sizes(self, event: Sequence[int], samples: int) -> tuple[int, ...]:
        """The full shape of a value with this event shape."""
        return (*event[: self.axis], samples * self.fold, *event[self.axis :])

    def to_samples(self, value: Tensor) -> Tensor:
        """One row a sample: ``(N, *event)``, or ``(N, fold, *event)`` where entries are folded."""
        rows = value.movedim(self.axis, 0)
        return rows if self.fold == 1 else rows.unflatten(0, (-1, self.fold))

    def from_samples(self, rows: Tensor) -> Tensor:
        """The reverse of ``to_samples``."""
        flat = rows if self.fold == 1 else rows.flatten(0, 1)
        return flat.movedim(0, self.axis)


def symbolic_size(size: SymInt, samples: int) -> int:
    """What a size that depends on the batch becomes for a number of samples."""
    expression = size.node.expr
    return int(expression.subs(dict.fromkeys(expression.free_symbols, samples)))


def symbolic_layout(sizes: Sequence[int | SymInt]) -> Layout | None:
    """The layout that the sizes of an exported value allow; None when no single axis grows with the batch.

    Args:
        sizes: shape of the value, symbolic where it depends on the batch.
    """
    moving = [axis for axis, size in enumerate(sizes) if _moves(size)]
    if len(moving) != 1:
        return None
    size: Any = sizes[moving[0]]
    folds = {symbolic_size(size, n) / n for n in PROBES}
    fold = folds.pop()
    return Layout(moving[0], int(fold)) if not folds and fold == int(fold) and fold >= 1 else None


def _moves(size: int | SymInt) -> bool:
    return isinstance(size, SymInt) and bool(getattr(size.node.expr, "free_symbols", ()))


def fixed_layouts(sizes: Sequence[int], batch: int) -> tuple[Layout, ...]:
    """All layouts that plain sizes allow, where the batch size is a number; likelier ones first.

    Args:
        sizes: shape of the value.
        batch: number of samples.
    """
    exact = [Layout(axis) for axis, size in enumerate(sizes) if size == batch]
    folded = [
        Layout(axis, size // batch) for axis, size in enumerate(sizes) if size > batch and size % batch == 0
    ]
    return (*exact, *folded)


def separates(changed: Tensor, layout: Layout) -> bool:
    """Whether only the last sample's entries changed, and some did, when only the last sample was altered.

    Args:
        changed: bool, of the value's shape.
        layout: the layout in question.
    """
    rows = layout.to_samples(changed)
    rows = rows.reshape(len(rows), -1)  # (N, numbers per sample)
    return bool(rows[-1].any()) and not bool(rows[:-1].any())
