"""The data a calibrated inverse learns its statistics from, split by source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.errors import NonFiniteError, ShapeError


@dataclass(frozen=True)
class Calibration:
    """Inputs of the network with the source each one came from.

    Several crops of one picture share its group: the strength of the regularisation is chosen on held-out
    *groups*, because held-out crops of a seen picture would flatter it.

    Args:
        x: inputs, ``(N, *event)``.
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
