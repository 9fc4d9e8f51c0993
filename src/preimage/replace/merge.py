"""Base class of replacements for operations that merge several tensors into one."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from preimage.errors import NonFiniteError, ShapeError

Stream = Iterable[Sequence[Tensor]]
"""Batches of the operands of a merge, as a pass over the data gives them: each ``(N, C, ...)``."""


class MergeReplacement(nn.Module, abc.ABC):
    """A merge m(a, b, ...) whose inverse estimates the operands, so that merging them again gives m exactly.

    The estimates start from the closed form that is best for the calibration stream. Nothing of the network
    around the merge is changed.

    Args:
        operands: how many tensors are merged, 2 or more.
        channels: their size along dimension 1.

    Example:
        >>> from preimage.replace import AddReplacement
        >>> issubclass(AddReplacement, MergeReplacement)
        True
    """

    def __init__(self, operands: int, channels: int) -> None:
        super().__init__()
        if operands < 2 or channels < 1:
            raise ValueError(
                f"{type(self).__name__}: got {operands} operands of {channels} channels, wanted 2 or more"
                " operands of 1 or more channels"
            )
        self.operands, self.channels = operands, channels

    @abc.abstractmethod
    def merge(self, operands: Sequence[Tensor]) -> Tensor:
        """The merge itself."""

    @abc.abstractmethod
    def split(self, merged: Tensor) -> tuple[Tensor, ...]:
        """Estimates of the operands of ``merged (N, C, ...)``; merging them gives ``merged`` again."""

    @abc.abstractmethod
    def count(self, operands: Sequence[Tensor]) -> None:
        """Add one batch of operands to the statistics."""

    @abc.abstractmethod
    def solve(self) -> None:
        """Fit the closed form to the statistics."""

    def forward(self, *operands: Tensor) -> Tensor:
        """The merge itself."""
        return self.merge(operands)

    @torch.no_grad()
    def fit(self, stream: Stream) -> None:
        """Fit to a stream of operands; parameters and operands get no gradient.

        Args:
            stream: batches of tuples of tensors ``(N, C, ...)``.

        Raises:
            ShapeError: a batch has another number of operands or channels.
            NonFiniteError: a value is NaN or infinite.
            DomainError: the stream is empty or constant.
        """
        for operands in stream:
            self._check(operands)
            self.count(operands)
        self.solve()

    def _check(self, operands: Sequence[Tensor]) -> None:
        shapes = [tuple(operand.shape) for operand in operands]
        wrong = len(operands) != self.operands or len(set(shapes)) > 1
        if wrong or len(shapes[0]) < 2 or shapes[0][1] != self.channels:
            raise ShapeError(
                f"{type(self).__name__}: got operands of shapes {shapes}, wanted {self.operands} of the same"
                f" shape (N, {self.channels}, ...)"
            )
        if not all(bool(operand.isfinite().all()) for operand in operands):
            raise NonFiniteError(f"{type(self).__name__}: the calibration stream holds NaN or infinity")
