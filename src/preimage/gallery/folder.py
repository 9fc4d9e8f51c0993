"""A folder that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preimage.errors import OutputError

MARK = "report.json"


@contextmanager
def whole_folder(target: Path, mark: str = MARK) -> Iterator[Path]:
    """Write into a temporary folder beside the target and rename it when all is written.

    An interrupt or an error on the way leaves the target as it was. An earlier report is replaced; a folder
    that holds anything else is not touched.

    Args:
        target: the folder to appear.
        mark: the file by which an earlier folder of the same kind is known.

    Yields:
        The temporary folder to write into.

    Raises:
        OutputError: the target cannot be written, or holds files that are not an earlier report.

    Cost: two renames.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     target = pathlib.Path(place) / "out"
        ...     with whole_folder(target) as folder:
        ...         _ = (folder / "report.json").write_text("{}")
        ...     sorted(p.name for p in target.iterdir())
        ['report.json']
    """
    check_target(target, mark)
    with _clear_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield folder
        with _clear_errors(target):
            folder.chmod(0o755)  # mkdtemp makes it private
            _exchange(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_target(target: Path, mark: str = MARK) -> None:
    """Refuse, before any work is done, a target that could not be written or would lose somebody's files.

    Raises:
        OutputError: says why, and what to give instead.
    """
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; give a folder for the report")
    with _clear_errors(target):
        if target.is_dir() and any(target.iterdir()) and not (target / mark).is_file():
            raise OutputError(
                f"{target} holds files that are not an earlier report; give a new or empty folder"
            )
        present = next(p for p in (target, *target.parents) if p.exists())
        with tempfile.TemporaryDirectory(prefix=".preimage-", dir=present):
            pass


def _exchange(folder: Path, target: Path) -> None:
    """Put the new folder in the target's place; the old one goes only after the new one is there."""
    if not target.exists():
        folder.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent)) / "old"
    target.rename(old)
    try:
        folder.rename(target)
    except BaseException:
        old.rename(target)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


@contextmanager
def _clear_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written ({error.strerror or error}); give a folder that you may write to"
        ) from error
