"""What every reader returns: recordings of equal length, with labels and what the numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from preimage.classify.evidence import UNLABELLED
from preimage.errors import DataFileError


@dataclass(frozen=True, eq=False)
class Recordings:
    """Labelled recordings of the same electrodes over the same time.

    Args:
        x: values ``(N, C, T)``.
        labels: whole numbers ``(N,)``, -1 where unknown.
        channels: names of the C channels.
        rate: samples a second, in hertz.
        classes: names of the classes, by number.
        kind: what was recorded, such as ``"EEG"`` or ``"MEG"``.
        unit: of the values, such as ``"µV"``.
        subjects: whom a recording is from ``(N,)``, whole numbers; None where unknown.
        source: where the data are from, and what was done to them.

    Raises:
        DataFileError: the parts do not fit together.

    Example:
        >>> Recordings(torch.zeros(3, 2, 8), torch.tensor([0, 1, -1]), ("C3", "C4"), 64.0, ("rest", "move"))
        Recordings(3 x 2 channels x 8 samples at 64 Hz, EEG in µV: 1 rest, 1 move, 1 unlabelled)
    """

    x: Tensor
    labels: Tensor
    channels: tuple[str, ...]
    rate: float
    classes: tuple[str, ...]
    kind: str = "EEG"
    unit: str = "µV"
    subjects: Tensor | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.x.dim() != 3 or self.x.shape[1] != len(self.channels):
            raise DataFileError(
                f"recordings have shape {tuple(self.x.shape)}, wanted (N, {len(self.channels)}, T)"
                f" for the channels {', '.join(self.channels)}"
            )
        if tuple(self.labels.shape) != (len(self.x),):
            raise DataFileError(f"labels have shape {tuple(self.labels.shape)}, wanted ({len(self.x)},)")
        if len(self.labels) and not UNLABELLED <= int(self.labels.min()) <= int(self.labels.max()) < len(
            self.classes
        ):
            raise DataFileError(
                f"labels run from {int(self.labels.min())} to {int(self.labels.max())}, wanted 0 to"
                f" {len(self.classes) - 1} for the classes {', '.join(self.classes)}, or -1"
            )
        if not self.rate > 0:
            raise DataFileError(f"the rate is {self.rate} Hz, wanted a positive number")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Recordings:
        """The chosen recordings: a slice, a boolean mask or a list of indices."""
        subjects = None if self.subjects is None else self.subjects[rows]
        return replace(self, x=self.x[rows], labels=self.labels[rows], subjects=subjects)

    def pick(self, channels: Sequence[str]) -> Recordings:
        """The named channels only, in the given order."""
        absent = [name for name in channels if name not in self.channels]
        if absent:
            raise DataFileError(f"no channel {', '.join(absent)} among {', '.join(self.channels)}")
        places = [self.channels.index(name) for name in channels]
        return replace(self, x=self.x[:, places], channels=tuple(channels))

    def windows(self, seconds: float) -> Recordings:
        """Consecutive windows as recordings of their own; samples that fill no window are left out."""
        length = round(seconds * self.rate)
        count = self.x.shape[2] // length if length >= 1 else 0
        if count < 1:
            raise DataFileError(
                f"windows of {seconds} s at {self.rate:g} Hz have {length} samples, wanted 1 to"
                f" {self.x.shape[2]}"
            )
        x = self.x[:, :, : count * length].unflatten(2, (count, length)).transpose(1, 2).flatten(0, 1)
        subjects = None if self.subjects is None else self.subjects.repeat_interleave(count)
        return replace(self, x=x, labels=self.labels.repeat_interleave(count), subjects=subjects)

    def __repr__(self) -> str:
        counts = [f"{int((self.labels == i).sum())} {name}" for i, name in enumerate(self.classes)]
        unknown = int((self.labels == UNLABELLED).sum())
        counts += [f"{unknown} unlabelled"] if unknown else []
        size = f"{len(self)} x {len(self.channels)} channels x {self.x.shape[2]} samples at {self.rate:g} Hz"
        return f"Recordings({size}, {self.kind} in {self.unit}: {', '.join(counts)})"


class Split(NamedTuple):
    """Recordings to train on, and to report on."""

    train: Recordings
    test: Recordings


def float_recordings(values: Any) -> Tensor:
    """Values as float32 recordings, refused where they are not finite.

    Raises:
        DataFileError: NaN or infinity.
    """
    x = torch.as_tensor(values, dtype=torch.float32)
    if not x.isfinite().all():
        raise DataFileError(
            f"{int((~x.isfinite()).sum())} values are NaN or infinite, wanted finite numbers; leave those"
            " recordings out"
        )
    return x
