"""Recordings whose channels turn out to be shifted copies of one flattened trial."""

from __future__ import annotations

import numpy as np

from preimage.errors import DataFileError


def shares_overlaps(values: np.ndarray) -> bool:
    """Whether channel c + 1 is channel c, moved by the number of channels, in every recording.

    Args:
        values: ``(N, C, T)`` with at least two channels, and more samples than channels.

    Example:
        >>> trial = np.arange(20.0)
        >>> shares_overlaps(np.stack([trial[2 * c : 2 * c + 8] for c in range(2)])[None])
        True
    """
    step = values.shape[1]
    return (
        step > 1 and values.shape[2] > step and np.array_equal(values[:, 1:, :-step], values[:, :-1, step:])
    )


def real_channels(values: np.ndarray) -> np.ndarray:
    r"""The channels of trials that were flattened, and then cut at the wrong places.

    Row c of such a set is :math:`s[Cc : Cc + T]` of the flattened trial s, where :math:`s[Tc : Tc + T]` was
    meant. The rows overlap, so the first :math:`C (C - 1) + T` numbers of s come back, and with them the
    first :math:`\lfloor (C (C - 1) + T) / T \rfloor` channels that were really recorded.

    Args:
        values: ``(N, C, T)`` as shipped.

    Returns:
        The real channels ``(N, R, T)``.

    Raises:
        DataFileError: the rows do not overlap, so there is nothing to repair.

    Cost: a copy.

    Example:
        >>> trial = np.arange(20.0)
        >>> shipped = np.stack([trial[2 * c : 2 * c + 8] for c in range(2)])[None]
        >>> real_channels(shipped).shape
        (1, 1, 8)
    """
    recordings, step, times = values.shape
    if not shares_overlaps(values):
        raise DataFileError("channels are not shifted copies of one another; the set needs no repair")
    heads = values[:, :-1, :step].reshape(recordings, -1)  # (N, C (C - 1))
    source = np.concatenate([heads, values[:, -1]], axis=1)  # (N, C (C - 1) + T)
    real = source.shape[1] // times
    return source[:, : real * times].reshape(recordings, real, times)
