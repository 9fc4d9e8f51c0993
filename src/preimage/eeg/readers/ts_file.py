"""Files of the time-series archives: a header, then one recording a line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from preimage.errors import DataFileError


class SeriesFile(NamedTuple):
    """What a file holds.

    Args:
        values: ``(N, C, T)`` in double precision.
        labels: name of the class of every recording.
        classes: names of the classes, in the order of the header.
    """

    values: np.ndarray
    labels: tuple[str, ...]
    classes: tuple[str, ...]


def read_ts(path: str | Path) -> SeriesFile:
    """Read a ``.ts`` file: ``#`` comments, ``@`` settings, then channels split by colons, the class last.

    Args:
        path: the file.

    Returns:
        Values, labels, and the classes that the header names.

    Raises:
        DataFileError: it cannot be read, recordings differ in size, or a class is not in the header.

    Cost: a second for 30 MB.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror}") from error
    header = [line for line in lines if line.startswith("@")]
    rows = [line for line in lines if line.strip() and line[0] not in "#@"]
    classes = _classes(path, header)
    found = [_recording(path, number, row) for number, row in enumerate(rows, start=1)]
    shapes = {values.shape for values, _ in found}
    if len(shapes) != 1:
        raise DataFileError(f"{path}: recordings have shapes {sorted(shapes)}, wanted one shape")
    labels = tuple(label for _, label in found)
    if not set(labels) <= set(classes):
        raise DataFileError(f"{path}: classes {sorted(set(labels) - set(classes))} are not in the header")
    return SeriesFile(np.stack([values for values, _ in found]), labels, classes)


def _classes(path: Path, header: list[str]) -> tuple[str, ...]:
    for line in header:
        word, *settings = line.split()
        if word.lower() == "@classlabel" and settings and settings[0].lower() == "true":
            return tuple(settings[1:])
    raise DataFileError(f"{path}: no line '@classLabel true ...', wanted a file of labelled series")


def _recording(path: Path, number: int, line: str) -> tuple[np.ndarray, str]:
    *channels, label = line.strip().split(":")
    try:
        return np.array([np.array(channel.split(","), dtype=np.float64) for channel in channels]), label
    except ValueError as error:
        raise DataFileError(f"{path}: recording {number} is not rows of numbers of one length") from error
