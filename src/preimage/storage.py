"""Tensors and settings as a directory of plain files: written whole or not at all, read with distrust.

A directory holds ``model.safetensors``, ``config.json`` and ``manifest.json``; the last names the kind of
content, the version of the format, and size and sha256 of the other two. Nothing in it can run code.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from preimage.errors import ModelFileError, OutputError

WEIGHTS, CONFIG, MANIFEST = "model.safetensors", "config.json", "manifest.json"


@dataclass(frozen=True)
class Limits:
    """What a reader accepts; a file beyond them is refused before it is read.

    Args:
        tensor_bytes: size of the tensors.
        text_bytes: size of a JSON file.
    """

    tensor_bytes: int = 16 * 2**30
    text_bytes: int = 16 * 2**20


DEFAULT_LIMITS = Limits()


def write_directory(
    path: str | Path, kind: str, version: int, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Path:
    """Write a directory of tensors and settings, replacing one of the same kind.

    Everything is written beside the place, flushed to the disk and then renamed, so that a reader never finds
    half a directory.

    Args:
        path: the directory.
        kind: what it holds, such as ``"flow"``.
        version: of the format of this kind.
        tensors: by name; they may share memory.
        config: plain data that JSON can hold.

    Returns:
        The path.

    Raises:
        OutputError: the place is taken by something else, or cannot be written.
        TypeError: the settings are not plain data.
    """
    target = Path(path)
    _check_free(target, kind)
    text = json.dumps(config, indent=1, allow_nan=False)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror}; choose another place") from error
    try:
        save_file(
            {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, temporary / WEIGHTS
        )
        (temporary / CONFIG).write_text(text, encoding="utf-8")
        (temporary / MANIFEST).write_text(json.dumps(_manifest(temporary, kind, version), indent=1))
        temporary.chmod(0o755)
        _flush(temporary)
        _put(temporary, target)
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror}; choose another place") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def read_directory(
    path: str | Path, kind: str, version: int, limits: Limits = DEFAULT_LIMITS
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_directory` wrote.

    Args:
        path: the directory.
        kind: what it must hold.
        version: newest version of the format that the caller reads; older ones come back as they are, with
            their number in ``config["format_version"]``.
        limits: largest sizes that are accepted.

    Returns:
        Tensors by name, and the settings.

    Raises:
        ModelFileError: the directory is missing, of another kind or version, incomplete, changed, too large,
            or not what its manifest says.
    """
    folder = Path(path)
    manifest = _plain(folder / MANIFEST, limits)
    _check_manifest(folder, manifest, kind, version)
    for name, cap in ((WEIGHTS, limits.tensor_bytes), (CONFIG, limits.text_bytes)):
        _check_file(folder / name, manifest["files"].get(name), cap)
    config = _plain(folder / CONFIG, limits)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{folder / WEIGHTS}: not a safetensors file: {error}") from error
    return tensors, config | {"format_version": manifest["version"]}


def kind_of(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> str:
    """What a directory holds, by its manifest; nothing else of it is looked at.

    Args:
        path: the directory.
        limits: largest sizes that are accepted.

    Returns:
        The kind that it was written with.

    Raises:
        ModelFileError: there is no manifest, or it is none of this library.
    """
    manifest = _plain(Path(path) / MANIFEST, limits)
    if manifest.get("format") != "preimage" or not isinstance(manifest.get("kind"), str):
        raise ModelFileError(f"{Path(path) / MANIFEST}: not a manifest of preimage")
    return manifest["kind"]


def _check_free(target: Path, kind: str) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    try:
        found = _plain(target / MANIFEST, DEFAULT_LIMITS).get("kind") if target.is_dir() else "a file"
    except ModelFileError:
        found = "a directory of other files"
    if found != kind:
        raise OutputError(
            f"{target} holds {found}, wanted a new directory or one with a {kind}; choose another place"
        )


def _manifest(folder: Path, kind: str, version: int) -> dict[str, Any]:
    files = {name: _fingerprint(folder / name) for name in (WEIGHTS, CONFIG)}
    return {"format": "preimage", "kind": kind, "version": version, "files": files}


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}


def _flush(folder: Path) -> None:
    """Have the system write files and directory to the disk before the rename makes them visible."""
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put(temporary: Path, target: Path) -> None:
    """Rename into place; a directory that is replaced is moved aside first and goes last."""
    if not target.exists():
        temporary.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / "old")
    temporary.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _plain(path: Path, limits: Limits) -> dict[str, Any]:
    """A JSON object from a file of bounded size."""
    try:
        if path.stat().st_size > limits.text_bytes:
            raise ModelFileError(f"{path}: {path.stat().st_size} bytes, wanted at most {limits.text_bytes}")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}; wanted a directory written by save") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{path}: holds {type(found).__name__}, wanted a JSON object")
    return found


def _check_manifest(folder: Path, manifest: dict[str, Any], kind: str, version: int) -> None:
    if manifest.get("format") != "preimage" or not isinstance(manifest.get("files"), dict):
        raise ModelFileError(f"{folder / MANIFEST}: not a manifest of preimage")
    if manifest.get("kind") != kind:
        raise ModelFileError(f"{folder}: holds {manifest.get('kind')!r}, wanted {kind!r}")
    came = manifest.get("version")
    if not isinstance(came, int) or not 1 <= came <= version:
        raise ModelFileError(
            f"{folder}: format version is {came!r}, wanted 1 to {version}; a newer preimage may read it"
        )


def _check_file(path: Path, said: Any, cap: int) -> None:
    if not isinstance(said, dict):
        raise ModelFileError(f"{path.parent / MANIFEST}: says nothing about {path.name}")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from error
    if size > cap:
        raise ModelFileError(
            f"{path}: {size} bytes, wanted at most {cap}; raise the limit with limits=Limits(...)"
        )
    if said != _fingerprint(path):
        raise ModelFileError(
            f"{path}: size or sha256 differ from the manifest; the file is incomplete or changed"
        )
