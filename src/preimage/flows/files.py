"""Flows as files: plain data only, checked before anything is built."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from preimage import __version__
from preimage.errors import ModelFileError
from preimage.flows import probe
from preimage.flows.budget import Budget
from preimage.flows.flow import Flow
from preimage.flows.recipe import PRESETS, Recipe
from preimage.storage import DEFAULT_LIMITS, Limits, read_directory, write_directory

KIND, VERSION = "flow", 2


def save(flow: Flow, path: str | Path) -> Path:
    """Write a flow to a directory: its weights, its preset with the arguments, its answers to a probe.

    Args:
        flow: a flow made by a preset.
        path: a new directory, or one that holds a flow.

    Returns:
        The path.

    Raises:
        ModelFileError: the flow was not made by a preset.
        OutputError: the place is taken, or cannot be written.

    Cost: one copy of the weights to disk, one in memory in float64, and a sample of two rows.

    Example:
        >>> import tempfile
        >>> from preimage import flows
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = flows.save(flows.maf(2), f"{folder}/maf")
        ...     flows.load(path).checked
        'the answers to the probe agree with those in the file'
    """
    tensors, config = contents(flow)
    return write_directory(path, KIND, VERSION, tensors, config)


def contents(flow: Flow) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What a file needs of a flow: weights with a probe, and settings as plain data; see :func:`rebuilt`.

    Raises:
        ModelFileError: the flow was not made by a preset.
    """
    if flow.recipe is None:
        raise ModelFileError(
            "save: this flow was put together by hand, so a file could not say how to make it again; put the"
            " code into a function with @preimage.flows.preset, or save flow.state_dict() with safetensors"
        )
    tensors, notes = probed(flow, flow.state_dict())
    recipe = {"preset": flow.recipe.preset, "arguments": flow.recipe.arguments}
    return tensors, recipe | {"history": list(flow.history)} | notes


def probed(flow: Flow, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights with the probe of a flow beside them, and what the settings say about both."""
    found = probe.taken(flow)
    rows = {f"{probe.PREFIX}{name}": value for name, value in found.tensors.items()}
    versions = f"preimage {__version__}, torch {torch.__version__}"
    return weights | rows, {"versions": versions, "probe": found.note}


def load(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Flow:
    """Read a flow that :func:`save` wrote, on the CPU and in evaluation mode.

    Nothing in a file can run code, and settings that ask for more memory than the weights hold are refused
    before it is reserved. The flow must give the answers that were stored with it; ``checked`` says whether
    there were any.

    Args:
        path: the directory.
        limits: largest sizes that are accepted.

    Returns:
        The flow, in the dtype that it was saved in.

    Raises:
        ModelFileError: the directory is not a flow, of an unknown version or preset, changed, does not fit
            together, or holds a flow of another meaning than its preset has here.
    """
    tensors, config = read_directory(path, KIND, VERSION, limits)
    return rebuilt(path, tensors, config)


def rebuilt(path: str | Path, tensors: dict[str, Tensor], config: dict[str, Any]) -> Flow:
    """The flow of :func:`contents` again, on the CPU and in evaluation mode.

    Args:
        path: for messages.
        tensors: the weights with their probe.
        config: the settings.

    Raises:
        ModelFileError: they do not fit together, or mean another flow here.
    """
    tensors, asked = probe.without_probe(tensors)
    recipe = _recipe(path, config)
    with Budget.of_weights(tensors):
        flow = _built(path, recipe)
    _check_shapes(path, flow, tensors)
    floating = [tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()]
    flow.to(floating[0] if floating else torch.get_default_dtype())
    flow.load_state_dict(tensors)
    flow.history.extend(records_of(config))
    flow.checked = probe.check(path, flow.eval(), asked, config)
    return flow


def records_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of training in the settings of a file; nothing where they are something else."""
    history = config.get("history")
    return [record for record in history if isinstance(record, dict)] if isinstance(history, list) else []


def _recipe(path: str | Path, config: dict[str, Any]) -> Recipe:
    name, arguments = config.get("preset"), config.get("arguments")
    if not isinstance(name, str) or name not in PRESETS:
        raise ModelFileError(f"{path}: preset is {name!r}, wanted one of {', '.join(sorted(PRESETS))}")
    known = inspect.signature(PRESETS[name]).parameters
    if not isinstance(arguments, dict) or not set(arguments) <= set(known):
        raise ModelFileError(
            f"{path}: arguments are {arguments!r}, wanted those of {name}: {', '.join(known)}"
        )
    return Recipe(name, arguments)


def _built(path: str | Path, recipe: Recipe) -> Flow:
    try:
        return PRESETS[recipe.preset](**recipe.arguments)
    except probe.BROKEN as error:
        raise ModelFileError(
            f"{path}: {recipe.preset} cannot be built from the arguments {recipe.arguments}: {error}"
        ) from error


def _check_shapes(path: str | Path, flow: Flow, tensors: dict[str, Tensor]) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in flow.state_dict().items()}
    came = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    differing = [name for name in sorted({*wanted, *came}) if wanted.get(name) != came.get(name)]
    if differing:
        first = differing[0]
        raise ModelFileError(
            f"{path}: {len(differing)} weights do not fit the settings, such as {first}: the file has"
            f" {came.get(first, 'none')}, wanted {wanted.get(first, 'none')}"
        )
