"""Ledgers kept on disk: the ranks in them take longer than all the rest of a repeated run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from preimage.inverse.reporting.ledger import Ledger, Row


def remembered_ledger(folder: Path, key: str, build: Callable[[], Ledger]) -> Ledger:
    """The ledger of this fingerprint: read from the folder, or built and kept there.

    A damaged file is built anew; a folder that cannot be written costs time, not the answer.

    Args:
        folder: of the cache.
        key: from :func:`preimage.gallery.cache.fingerprint`.
        build: called when nothing is kept.

    Cost: one file of a few kilobytes.
    """
    path = folder / f"ledger-{key}.json"
    with suppress(ValueError, KeyError, TypeError, OSError):
        kept = json.loads(path.read_text())
        rows, names = (Row(**row) for row in kept["rows"]), kept["side_information"]
        return Ledger(**{**kept, "rows": tuple(rows), "side_information": tuple(names)})
    ledger = build()
    _keep(path, ledger)
    return ledger


def _keep(path: Path, ledger: Ledger) -> None:
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(ledger)))
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
