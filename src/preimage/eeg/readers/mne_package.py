"""The optional package MNE."""

from __future__ import annotations

from typing import Any

from preimage.errors import MissingExtraError


def mne(purpose: str) -> Any:
    """The package MNE, or an error that names the extra.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import mne as package
    except ImportError as error:
        raise MissingExtraError(f"{purpose} needs mne; pip install 'preimage[eeg]'") from error
    return package


def first_line(error: Exception) -> str:
    """What an error of MNE says, in one line."""
    return f"{type(error).__name__} {error}".strip().splitlines()[0]
