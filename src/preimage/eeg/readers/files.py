"""Recordings from files of any kind that is known: arrays of NumPy, and whatever MNE reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from preimage.eeg.readers.from_mne import read_mne
from preimage.eeg.recordings import UNLABELLED, Recordings, float_recordings
from preimage.errors import DataFileError


def read_recordings(
    path: str | Path,
    labels: str | Path | None = None,
    rate: float | None = None,
    channels: Sequence[str] = (),
    window: float | None = None,
) -> Recordings:
    """Recordings from a file.

    An ``.npz`` holds ``x`` ``(N, C, T)`` and may hold ``labels``, ``channels``, ``rate``, ``classes`` and
    ``unit``; an ``.npy`` holds x alone. Everything else is given to MNE.

    Args:
        path: the file.
        labels: a text file with one class a line, in the order of the recordings; of a table with commas the
            last column counts, and a first line ``label`` is a heading. What the file says otherwise.
        rate: samples a second, in hertz, where the file does not say.
        channels: names of the channels, where the file does not say.
        window: length in seconds of the windows that long recordings are cut into; None for whole ones.

    Returns:
        The recordings.

    Raises:
        DataFileError: something is missing, or does not fit.
        MissingExtraError: MNE is needed and not installed.

    Cost: reading the file.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "x.npz"
        ...     np.savez(file, x=np.zeros((2, 1, 8)), labels=["rest", "move"], rate=64.0)
        ...     read_recordings(file)
        Recordings(2 x 1 channels x 8 samples at 64 Hz, EEG in µV: 1 move, 1 rest)
    """
    path = Path(path)
    names = None if labels is None else read_labels(labels)
    if path.suffix.lower() not in (".npz", ".npy"):
        return read_mne(path, window=window, labels=names)
    content = _arrays(path)
    x = content.get("x")
    if x is None or x.ndim != 3 or x.dtype.kind not in "iuf":
        found = {name: array.shape for name, array in content.items()}
        raise DataFileError(
            f"{path}: holds {found}, wanted numbers x of shape (recordings, channels, samples)"
        )
    codes, classes = _classes(path, content, names, len(x))
    stored = [str(name) for name in content.get("channels", ())] or list(channels)
    known = tuple(stored) or tuple(f"channel {number}" for number in range(1, x.shape[1] + 1))
    own_rate = float(content["rate"]) if "rate" in content else rate
    if own_rate is None:
        raise DataFileError(f"{path}: does not say the rate; give it in hertz")
    unit = str(content["unit"]) if "unit" in content else "µV"
    found = Recordings(float_recordings(x), codes, known, own_rate, classes, unit=unit, source=path.name)
    return found if window is None else found.windows(window)


def read_labels(path: str | Path) -> list[str]:
    """One class a line: the last column of a table with commas; a first line ``label`` is a heading.

    Raises:
        DataFileError: the file cannot be read, or is empty.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [row[-1].strip() for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"{path}: cannot be read as a table of labels: {error}") from error
    found = rows[1:] if rows and rows[0].lower() in ("label", "class", "target", "y") else rows
    if not found:
        raise DataFileError(f"{path}: holds no labels, wanted one class a line")
    return found


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:  # np.load would leave a broken archive open
            came: Any = np.load(file, allow_pickle=False)
            return {"x": came} if isinstance(came, np.ndarray) else {name: came[name] for name in came.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(f"{path}: cannot be read as arrays of numbers: {error}") from error
    except Exception as error:  # a broken archive raises what its parser happens to
        raise DataFileError(f"{path}: is not an archive of NumPy: {error}") from error


def _classes(
    path: Path, content: dict[str, np.ndarray], names: list[str] | None, count: int
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Whole numbers with the names of the classes; sorted names where the labels are names themselves."""
    if names is None and "labels" not in content:
        return torch.full((count,), UNLABELLED), ()
    given = np.asarray(names) if names is not None else content["labels"]
    if given.shape != (count,):
        raise DataFileError(f"{path}: labels have shape {given.shape}, wanted ({count},)")
    if given.dtype.kind in "iu" and "classes" in content:
        return torch.from_numpy(given.astype(np.int64)), tuple(str(name) for name in content["classes"])
    classes, codes = np.unique(given.astype(str), return_inverse=True)
    return torch.from_numpy(codes.astype(np.int64)), tuple(str(name) for name in classes)
