"""Saving an inverse and loading it again: the plan and the calibration, never the network's weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from preimage.capture.export import capture
from preimage.capture.graph import Graph
from preimage.errors import ModelFileError, NumericalWarning
from preimage.inverse import rules
from preimage.inverse.calibrate import Decoder
from preimage.inverse.calibrate.rebuilt import rebuilt
from preimage.inverse.checks import check_example
from preimage.inverse.inverse import Inverse
from preimage.inverse.saving.fingerprint import fingerprint
from preimage.inverse.saving.folder import CONFIG, TENSORS, read_folder, write_folder

FORMAT, VERSION = "preimage inverse", 1
RULES = rules.__all__


def save(inverse: Inverse, path: str | PathLike[str]) -> None:
    """Write an inverse to a folder: ``config.json``, ``model.safetensors`` and ``manifest.json``.

    The folder holds the taps, the plan as text and the calibrated decoders. The network's own weights are not
    in it; a fingerprint of them is, so that the decoders are never used with another network. The folder
    appears when it is complete, or not at all.

    Args:
        inverse: what ``preimage.invert`` returned.
        path: a folder that does not exist yet, or one that an inverse was saved to before, which is replaced.

    Raises:
        OutputError: the folder holds something else, or cannot be written.

    Cost:
        One hash over the weights and one copy of the decoders.

    Example:
        >>> import tempfile, torch, preimage as pi
        >>> x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())
        >>> inverse = pi.invert(net, x[:1], x)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     inverse.save(f"{folder}/saved")
        ...     again = pi.load_inverse(f"{folder}/saved", net, x[:1])
        >>> torch.equal(again(net(x)), inverse(net(x)))
        True
    """
    decoders = inverse.decoders
    config = {
        "format": FORMAT,
        "version": VERSION,
        "network": fingerprint(inverse.graph),
        "taps": {label: inverse.node(label) for label in inverse.taps},
        "decoders": list(decoders),
        "plan": str(inverse.plan_by_shapes()).splitlines(),
    }
    tensors = {
        f"decoders.{number}.{name}": tensor
        for number, decoder in enumerate(decoders.values())
        for name, tensor in decoder.state_dict().items()
    }
    write_folder(Path(path), config, tensors)


def load_inverse(
    path: str | PathLike[str], model: nn.Module, example: Tensor | tuple[Tensor, ...]
) -> Inverse:
    """Load an inverse that was saved with ``inverse.save(path)``; its answers are the same, bit by bit.

    Args:
        path: the folder.
        model: the network that it was made of, with the same weights, in evaluation mode.
        example: one input ``(N, *event)``, or a tuple for several inputs.

    Returns:
        The inverse; its parameters are the model's.

    Raises:
        ModelFileError: the folder is absent, broken, of an unknown version, or belongs to another network.
        CaptureError: when the network cannot be captured.

    Warns:
        NumericalWarning: the plan differs from the saved one, because of another version of this library, or
            because a rule that was registered then is missing now.

    Cost:
        One traced forward pass and one hash over the weights; no calibration.
    """
    folder = Path(path)
    config, tensors = read_folder(folder)
    _check_header(folder, config)
    examples = check_example(example)
    graph = capture(model, example)
    _check_network(folder, config, graph)
    taps = _taps(folder, config, graph)
    inverse = Inverse(graph, taps, _decoders(folder, config, tensors, graph, taps), examples)
    if str(inverse.plan_by_shapes()).splitlines() != config.get("plan"):
        warnings.warn(
            f"{folder}: the plan differs from the saved one; data-free answers may differ. Register the same"
            " rules before loading, or use the same version of preimage",
            NumericalWarning,
            stacklevel=2,
        )
    return inverse


def _check_header(folder: Path, config: Mapping[str, Any]) -> None:
    if config.get("format") != FORMAT:
        raise ModelFileError(f"{folder} holds {config.get('format')!r}; {FORMAT!r} was wanted")
    if config.get("version") != VERSION:
        raise ModelFileError(
            f"{folder} has format version {config.get('version')!r}; this version of preimage reads"
            f" {VERSION}. Install the version that saved it, or save it again"
        )


def _check_network(folder: Path, config: Mapping[str, Any], graph: Graph) -> None:
    saved, found = config.get("network"), fingerprint(graph)
    if not isinstance(saved, dict):
        raise ModelFileError(f"{folder}: {CONFIG} does not describe a network")
    for what in ("inputs", "structure", "weights"):
        if saved.get(what) != found[what]:
            raise ModelFileError(
                f"{folder} was saved with another network: the {what} differ. Give the model it was saved"
                " with (same architecture, weights, number type and input shape), or calibrate again"
            )


def _taps(folder: Path, config: Mapping[str, Any], graph: Graph) -> dict[str, str]:
    taps = config.get("taps")
    fits = isinstance(taps, dict) and all(isinstance(v, str) and v in graph.order for v in taps.values())
    if not fits or not isinstance(taps, dict):
        raise ModelFileError(f"{folder}: {CONFIG} names taps that the network does not have")
    return taps


def _decoders(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    graph: Graph,
    taps: Mapping[str, str],
) -> dict[str, Decoder]:
    labels = config.get("decoders")
    if not isinstance(labels, list) or any(label not in taps for label in labels):
        raise ModelFileError(f"{folder}: {CONFIG} names decoders for taps that it does not list")
    if len({name.split(".")[1] for name in tensors if name.startswith("decoders.")}) != len(labels):
        raise ModelFileError(f"{folder}: {TENSORS} does not hold the {len(labels)} decoders of {CONFIG}")
    like = next((t for t in map(graph.tensor, graph.tensors) if t is not None), torch.empty(0))
    found = {}
    for number, label in enumerate(labels):
        prefix = f"decoders.{number}."
        state = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        shapes = graph.input_shapes[0], graph.shape(taps[label])
        found[label] = rebuilt(state, *shapes, where=f"{folder}, tap {label!r}").to(like.device)
    return found
