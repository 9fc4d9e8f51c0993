"""The TUH Abnormal EEG corpus, for those who have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from preimage.eeg.layout import STANDARD_CHANNELS
from preimage.eeg.readers.mne_package import first_line, mne
from preimage.eeg.recordings import Recordings, Split, float_recordings
from preimage.errors import DataFileError

CLASSES = ("normal", "abnormal")
MINUTES = 3
LIMIT = 800.0  # microvolts, before the average is taken away
UNIT = 30.0  # microvolts
RATE = 64.0  # hertz
SECOND_LIMIT = 7.0  # in units of 30 microvolts


def tuh_abnormal(folder: str | Path) -> Split:
    """TUH Abnormal: recordings of a hospital, normal or not, 21 electrodes, two minutes at 64 Hz.

    The corpus must be asked for at its site. Of every file the first three minutes are read, and prepared by
    :func:`prepare_tuh`.

    Reference: Obeid, Picone (2016), The Temple University Hospital EEG data corpus,
    https://doi.org/10.3389/fnins.2016.00196

    Args:
        folder: holds ``train`` and ``eval``, each with ``normal`` and ``abnormal``, as the corpus does in
            ``edf``.

    Returns:
        Recordings to train on and to report on, in units of 30 microvolts, with a number for every subject:
        split by subject where you hold some back to validate with.

    Raises:
        DataFileError: folders or electrodes are missing, or a file is too short.
        MissingExtraError: MNE is not installed.

    Cost: 2.2 MB of memory and about a second for every recording.
    """
    root = Path(folder)
    root = root / "edf" if (root / "edf").is_dir() else root
    return Split(_part(root / "train"), _part(root / "eval"))


def prepare_tuh(raw: Any) -> Tensor:
    """What EEG-InvNet reads of a recording of the TUH corpora.

    21 electrodes in alphabetical order; the first three minutes; clipped at 800 microvolts; minus the average
    over electrodes; divided by 30 microvolts; 64 Hz; without the first minute; clipped at 7.

    Args:
        raw: ``Raw`` of MNE, channels named such as ``EEG FP1-REF``.

    Returns:
        Tensor ``(21, 7680)``; shorter where the recording is shorter than three minutes.

    Raises:
        DataFileError: an electrode is missing, or the recording is not longer than a minute.

    Cost: a second for three minutes at 250 Hz.
    """
    names = {_electrode(name): name for name in raw.ch_names}
    absent = [name for name in STANDARD_CHANNELS if name not in names]
    if absent:
        raise DataFileError(f"tuh: no electrode {', '.join(absent)} among {', '.join(raw.ch_names)}")
    rate = float(raw.info["sfreq"])
    samples = min(round(60 * MINUTES * rate), raw.n_times)
    if samples <= 60 * rate:
        raise DataFileError(f"tuh: the recording has {samples / rate:g} s, wanted more than 60")
    values = raw.get_data(picks=[names[name] for name in STANDARD_CHANNELS], stop=samples) * 1e6  # (21, T)
    values = values.clip(-LIMIT, LIMIT)
    values = (values - values.mean(axis=0)) / UNIT
    resampled = mne("tuh").filter.resample(values, up=RATE, down=rate, verbose="error")
    return float_recordings(resampled[:, round(60 * RATE) :]).clamp(-SECOND_LIMIT, SECOND_LIMIT)


def _part(folder: Path) -> Recordings:
    files = [
        (path, label)
        for label, name in enumerate(CLASSES)
        for path in sorted(folder.glob(f"{name}/**/*.edf"))
    ]
    if not files:
        raise DataFileError(
            f"{folder}: holds no EDF files under normal or abnormal; wanted the folder 'edf' of TUH Abnormal"
        )
    x = [prepare_tuh(_read(path)) for path, _ in files]
    length = max(len(part[0]) for part in x)
    short = [str(path) for part, (path, _) in zip(x, files, strict=True) if part.shape[1] < length]
    if short:
        raise DataFileError(f"tuh: shorter than the others: {', '.join(short)}; leave those files out")
    who = [path.stem.split("_")[0] for path, _ in files]  # aaaaaaab_s001_t000.edf
    subjects = torch.from_numpy(np.unique(who, return_inverse=True)[1])
    labels = torch.tensor([label for _, label in files])
    unit = f"{UNIT:g} µV"
    return Recordings(
        torch.stack(x), labels, STANDARD_CHANNELS, RATE, CLASSES, "EEG", unit, subjects, "TUH Abnormal"
    )


def _read(path: Path) -> Any:
    try:
        return mne("tuh_abnormal").io.read_raw_edf(path, verbose="error")
    except Exception as error:  # MNE raises what its parsers happen to, AssertionError included
        raise DataFileError(f"{path}: MNE cannot read it: {first_line(error)}") from error


def _electrode(channel: str) -> str:
    """``EEG FP1-REF`` is FP1."""
    return channel.upper().removeprefix("EEG ").split("-")[0].strip()
