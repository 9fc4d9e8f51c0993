"""The whole state of a training run, as tensors and plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Tensors = dict[str, Tensor]


def module_tensors(module: nn.Module) -> Tensors:
    """Every parameter and buffer, cloned."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def restore_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put parameters and buffers back, in place."""
    module.load_state_dict(dict(tensors))


def optimiser_tensors(optimiser: Optimizer) -> Tensors:
    """The state of the optimiser, by the number of the parameter and the name of the value."""
    state = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value).detach().clone()
        for index, values in state.items()
        for name, value in values.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the state of the optimiser back."""
    whole = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor.clone()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def random_tensors() -> Tensors:
    """The state of every random number generator of PyTorch that a model may draw from."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state |= {f"cuda.{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return state


def restore_random(tensors: Mapping[str, Tensor]) -> None:
    """Put the random number generators back."""
    torch.set_rng_state(tensors["cpu"])
    devices = [tensors[key] for key in sorted(tensors) if key.startswith("cuda")]
    if devices and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(devices)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The tensors under a common name, for one file."""
    return {f"{prefix}/{name}": tensor.contiguous() for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Any]) -> Tensors:
    """What :func:`prefixed` put under this name."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
