"""Decoders kept on disk, so that a second run on the same network and pictures is quick."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from preimage import __version__
from preimage.inverse.calibrate import Decoder
from preimage.inverse.registry import registered_rules

Decoders = Mapping[str, Decoder]


def fingerprint(tensors: Mapping[str, Tensor], words: tuple[str, ...]) -> str:
    """What decoders depend on, as a short name: weights and data bit by bit, words, and the code that
    estimates.

    Args:
        tensors: by name; names, shapes, kinds and values all count.
        words: anything else that matters, such as the taps.

    Returns:
        32 hexadecimal digits.

    Cost: one hash over the bytes, about 1 s per gigabyte.

    Example:
        >>> import torch
        >>> fingerprint({"w": torch.zeros(2)}, ("stem",)) == fingerprint({"w": torch.ones(2)}, ("stem",))
        False
    """
    digest = hashlib.sha256("\n".join((__version__, torch.__version__, *words)).encode())
    for source in sorted(files("preimage.inverse.calibrate").iterdir(), key=lambda source: source.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    for name, tensor in tensors.items():
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def sources() -> tuple[str, ...]:
    """A hash of every source file of the library, and of every file with a rule of one's own."""
    root = Path(str(files("preimage")))
    library = {path for kind in ("*.py", "*.safetensors") for path in root.rglob(kind)}
    found = sorted(library | _files_of_rules())
    return tuple(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in found)


def _files_of_rules() -> set[Path]:
    found = (_file_of(rule.solve) for rule in registered_rules())
    return {path for path in found if path is not None and path.is_file()}


def _file_of(function: Callable[..., object]) -> Path | None:
    """None for what was typed in, or compiled."""
    try:
        return Path(inspect.getfile(inspect.unwrap(function)))
    except TypeError:
        return None


def remembered(folder: Path, key: str, estimate: Callable[[], Decoders]) -> Decoders:
    """The decoders of this fingerprint: read from the folder, or estimated and kept there.

    A damaged file is estimated anew; a folder that cannot be written costs time, not the answer.

    Args:
        folder: of the cache.
        key: from :func:`fingerprint`.
        estimate: called when nothing is kept.

    Returns:
        Label to decoder.

    Cost: one file of a few tens of megabytes.
    """
    path = folder / f"decoders-{key}.safetensors"
    if path.is_file():
        try:
            return _read(path)
        except (SafetensorError, KeyError, RuntimeError, OSError):
            pass  # damaged or from another layout: estimate again, and replace it
    decoders = estimate()
    _keep(path, decoders)
    return decoders


def _read(path: Path) -> Decoders:
    states: dict[str, dict[str, Tensor]] = {}
    for name, tensor in load_file(path).items():
        label, _, part = name.rpartition("//")
        states.setdefault(label, {})[part] = tensor
    order = sorted(states, key=lambda label: int(label.partition(":")[0]))
    return {label.partition(":")[2]: Decoder.from_state(states[label]) for label in order}


def _keep(path: Path, decoders: Decoders) -> None:
    tensors = {
        f"{number}:{label}//{part}": tensor.contiguous()
        for number, (label, decoder) in enumerate(decoders.items())
        for part, tensor in decoder.state_dict().items()
    }
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, draft)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
