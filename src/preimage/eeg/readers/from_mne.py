"""Anything that MNE can read, as recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from preimage.eeg.readers.mne_package import first_line, mne
from preimage.eeg.recordings import UNLABELLED, Recordings, float_recordings
from preimage.errors import DataFileError


class _Kind(NamedTuple):
    """A kind of channel: what it is called, and the unit in which its numbers are near 1."""

    name: str
    unit: str
    factor: float


_KINDS = {
    "eeg": _Kind("EEG", "µV", 1e6),
    "mag": _Kind("MEG", "fT", 1e15),
    "grad": _Kind("MEG", "fT/cm", 1e13),
    "ecog": _Kind("ECoG", "µV", 1e6),
    "seeg": _Kind("sEEG", "µV", 1e6),
}


def from_mne(
    instance: Any,
    window: float | None = None,
    picks: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> Recordings:
    """Recordings from an object of MNE, in microvolts (EEG) or femtotesla (MEG).

    Channels marked bad and channels of other kinds are left out. Epochs keep their event names as classes. A
    continuous recording becomes one recording, or windows: those that touch an annotation beginning with
    BAD are left out, and each is named after the annotation that covers its middle, if there is one.

    Args:
        instance: ``Raw``, ``Epochs`` or ``Evoked``.
        window: length of windows of a continuous recording, in seconds; None for one recording.
        picks: a kind of channel (``"eeg"``, ``"mag"``, ``"grad"``, ``"ecog"``, ``"seeg"``) or names of
            channels of one kind; the first kind that is there by default.
        labels: name of the class of every recording, instead of what the object says.

    Returns:
        The recordings; label -1 where nothing names a class.

    Raises:
        DataFileError: no channel is left, channels are of several kinds, or no window is.
        MissingExtraError: MNE is not installed.

    Cost: a copy of the data.

    Example:
        >>> import mne, numpy
        >>> info = mne.create_info(["C3", "C4"], sfreq=64.0, ch_types="eeg")
        >>> raw = mne.io.RawArray(numpy.full((2, 256), 1e-5), info, verbose="error")
        >>> found = from_mne(raw, window=2.0)
        >>> found.x.shape, round(found.x.mean().item(), 3), found.unit
        (torch.Size([2, 2, 128]), 10.0, 'µV')
    """
    package = mne("from_mne")
    chosen, kind = _picked(package, instance, picks)
    if isinstance(chosen, package.io.BaseRaw):
        values, names = _from_raw(package, chosen, window)
    elif isinstance(chosen, package.BaseEpochs):
        values, names = _from_epochs(chosen)
    else:
        values, names = chosen.data[None], [None]  # Evoked
    found = list(labels) if labels is not None else names
    codes, classes = _coded(found, len(values))
    x = float_recordings(values * kind.factor)
    rate = float(chosen.info["sfreq"])
    return Recordings(x, codes, tuple(chosen.ch_names), rate, classes, kind.name, kind.unit, source="MNE")


def read_mne(
    path: str | Path,
    window: float | None = None,
    picks: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> Recordings:
    """Recordings from a file that MNE can read, such as FIF, EDF, BDF, BrainVision or EEGLAB.

    Args:
        path: the file; names that end in ``-epo.fif`` or ``_epo.fif`` hold epochs.
        window: as in :func:`from_mne`.
        picks: as in :func:`from_mne`.
        labels: as in :func:`from_mne`.

    Returns:
        The recordings.

    Raises:
        DataFileError: the file cannot be read.
        MissingExtraError: MNE is not installed.

    Cost: reading the file.
    """
    package = mne("read_mne")
    path = Path(path)
    try:
        if path.name.endswith(("epo.fif", "epo.fif.gz")):
            instance = package.read_epochs(path, preload=True, verbose="error")
        else:
            instance = package.io.read_raw(path, preload=True, verbose="error")
    except Exception as error:  # MNE raises what its parsers happen to, AssertionError included
        raise DataFileError(f"{path}: MNE cannot read it: {first_line(error)}") from error
    return from_mne(instance, window, picks, labels)


def _picked(package: Any, instance: Any, picks: str | Sequence[str] | None) -> tuple[Any, _Kind]:
    if not isinstance(instance, package.io.BaseRaw | package.BaseEpochs | package.Evoked):
        raise DataFileError(f"from_mne: got {type(instance).__name__}, wanted Raw, Epochs or Evoked of MNE")
    types = dict(zip(instance.ch_names, instance.get_channel_types(), strict=True))
    good = {name: kind for name, kind in types.items() if name not in instance.info["bads"]}
    if picks is None:
        kinds = [kind for kind in _KINDS if kind in good.values()]
        picks = kinds[0] if kinds else ""
    names = [n for n, kind in good.items() if kind == picks] if isinstance(picks, str) else list(picks)
    found = {good.get(name) for name in names}
    if len(found) != 1 or not found <= set(_KINDS):
        raise DataFileError(
            f"from_mne: the picks {picks!r} are channels of the kinds {sorted(map(str, found))}; wanted good"
            f" channels of one of {', '.join(_KINDS)}; the recording has {sorted(set(good.values()))}"
        )
    return instance.copy().pick(names, verbose="error"), _KINDS[str(found.pop())]


def _from_epochs(epochs: Any) -> tuple[np.ndarray, list[str | None]]:
    epochs.drop_bad(verbose="error")
    names = {code: name for name, code in epochs.event_id.items()}
    return epochs.get_data(copy=True), [names[code] for code in epochs.events[:, 2]]


def _from_raw(package: Any, raw: Any, window: float | None) -> tuple[np.ndarray, list[str | None]]:
    if window is None:
        return raw.get_data()[None], [None]
    if not 2 <= round(window * raw.info["sfreq"]) <= raw.n_times:
        raise DataFileError(
            f"from_mne: windows of {window} s, wanted 2 samples or more, and at most the"
            f" {raw.n_times / raw.info['sfreq']:g} s of the recording"
        )
    epochs = package.make_fixed_length_epochs(
        raw, window, preload=True, reject_by_annotation=True, verbose="error"
    )
    if not len(epochs):
        raise DataFileError(f"from_mne: no window of {window} s is free of annotations that begin with BAD")
    middles = (epochs.events[:, 0] - raw.first_samp) / raw.info["sfreq"] + window / 2
    return epochs.get_data(copy=True), [_named(raw, middle) for middle in middles]


def _named(raw: Any, instant: float) -> str | None:
    """The annotation that covers an instant, in seconds from the first sample."""
    shift = raw.first_time if raw.annotations.orig_time is not None else 0.0
    for annotation in raw.annotations:
        start = annotation["onset"] - shift
        if start <= instant < start + annotation["duration"] and not _is_bad(annotation["description"]):
            return str(annotation["description"])
    return None


def _is_bad(description: str) -> bool:
    return description.upper().startswith("BAD")


def _coded(names: Sequence[str | None], count: int) -> tuple[Tensor, tuple[str, ...]]:
    if len(names) != count:
        raise DataFileError(f"from_mne: {len(names)} labels for {count} recordings, wanted one each")
    classes = tuple(sorted({str(name) for name in names if name is not None}))
    codes = [UNLABELLED if name is None else classes.index(str(name)) for name in names]
    return torch.tensor(codes, dtype=torch.long), classes
