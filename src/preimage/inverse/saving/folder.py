"""A folder of safetensors and JSON that is complete or not there, and is checked before it is believed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from preimage.errors import ModelFileError, OutputError

CONFIG, TENSORS, MANIFEST = "config.json", "model.safetensors", "manifest.json"
LARGEST = {CONFIG: 16 << 20, MANIFEST: 1 << 20, TENSORS: 64 << 30}
"""Bytes that are read of each file at most."""


def write_folder(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a folder beside the wanted place, flush it to the disk, and give it its name.

    Args:
        path: the folder; replaced only if it was written by this function.
        config: plain data.
        tensors: by name.

    Raises:
        OutputError: the place is taken by something else, or cannot be written.
    """
    if path.exists() and not (path / MANIFEST).is_file():
        raise OutputError(f"{path} exists and holds something else; choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            _fill(fresh, config, tensors)
            _put(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _fill(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    (folder / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(owned, folder / TENSORS)
    files = {name: _facts((folder / name).read_bytes()) for name in (CONFIG, TENSORS)}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")
    for file in folder.iterdir():
        _flush(file)
    _flush(folder)


def _put(fresh: Path, path: Path) -> None:
    """Rename, with an older folder out of the way first."""
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        os.replace(path, old / "old")
        os.replace(fresh, path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(fresh, path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _facts(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_folder(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a folder, every file checked against the manifest.

    Args:
        path: the folder.

    Returns:
        The plain data, and the tensors by name.

    Raises:
        ModelFileError: a file is absent, a link, too large, or not what the manifest says.
    """
    manifest = _json(path, MANIFEST, _bytes(path, MANIFEST))
    listed = manifest.get("files")
    if not isinstance(listed, dict) or set(listed) != {CONFIG, TENSORS}:
        raise ModelFileError(f"{path / MANIFEST} does not list {CONFIG} and {TENSORS}")
    found = {name: _bytes(path, name) for name in (CONFIG, TENSORS)}
    for name, data in found.items():
        if _facts(data) != listed[name]:
            raise ModelFileError(f"{path / name} is not the file that {MANIFEST} describes: it is broken")
    try:
        tensors = load(found[TENSORS])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path / TENSORS} is no safetensors file: {error}") from error
    return _json(path, CONFIG, found[CONFIG]), tensors


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise ModelFileError(f"{path} is no plain file; a folder that inverse.save wrote was wanted")
    size = path.stat().st_size
    if size > LARGEST[name]:
        raise ModelFileError(f"{path} has {size:,} bytes; at most {LARGEST[name]:,} are read")
    return path.read_bytes()


def _json(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{folder / name} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelFileError(f"{folder / name} holds {type(value).__name__}; an object was wanted")
    return value
