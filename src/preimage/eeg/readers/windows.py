"""Data sets of other packages that yield one window after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from preimage.eeg.recordings import Recordings, float_recordings
from preimage.errors import DataFileError


def from_windows(
    windows: Iterable[Sequence[Any]],
    channels: Sequence[str],
    rate: float,
    classes: Sequence[str],
    unit: str = "µV",
) -> Recordings:
    """Recordings from a data set of windows, such as one of braindecode: tuples of values, label and more.

    Args:
        windows: yields tuples that begin with values ``(C, T)`` and a whole number.
        channels: names of the C channels.
        rate: samples a second, in hertz.
        classes: names of the classes, by number.
        unit: of the values.

    Returns:
        The recordings.

    Raises:
        DataFileError: there are none, or they differ in size.

    Cost: a copy.

    Example:
        >>> windows = [(torch.zeros(2, 8), 0, [0, 0, 8]), (torch.ones(2, 8), 1, [1, 8, 16])]
        >>> from_windows(windows, ("C3", "C4"), 64.0, ("rest", "move"))
        Recordings(2 x 2 channels x 8 samples at 64 Hz, EEG in µV: 1 rest, 1 move)
    """
    found = [(torch.as_tensor(values), int(label)) for values, label, *_ in windows]
    shapes = {tuple(values.shape) for values, _ in found}
    if len(shapes) != 1:
        raise DataFileError(f"from_windows: windows have shapes {sorted(shapes)}, wanted one shape")
    x = float_recordings(torch.stack([values for values, _ in found]))
    labels = torch.tensor([label for _, label in found])
    return Recordings(x, labels, tuple(channels), rate, tuple(classes), unit=unit)
