"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.capture.importers.keras.place import Laid, Place, layer, tensor_of
from preimage.capture.importers.layers import filled

KINDS: Mapping[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "LSTM": (nn.LSTM, (0, 1, 2, 3)),
    "GRU": (nn.GRU, (1, 0, 2)),
    "SimpleRNN": (nn.RNN, (0,)),
}
"""The layer, and where each of PyTorch's gates stands among those of Keras."""


@layer(*KINDS)
def recurrent(place: Place) -> Laid:
    """Sequences ``(N, T, in)``, from zero states."""
    config, kind = place.config, type(place.layer).__name__
    gates = {"LSTM": ("tanh", "sigmoid"), "GRU": ("tanh", "sigmoid"), "SimpleRNN": ("tanh",)}[kind]
    named = (config["activation"], config.get("recurrent_activation"))[: len(gates)]
    if named != gates or config["go_backwards"] or config["stateful"] or config["return_state"]:
        place.refuse("other activations than the usual ones, states, or running backwards")
    if kind == "GRU" and not config["reset_after"]:
        place.refuse("a GRU that resets before its linear map")
    if len(place.args) > 1 and place.args[1] is not None:
        place.refuse("an initial state")
    found = place.module(lambda: _made(place), place.as_seen(place.operand))
    y = place.call(_first, found)
    if config["return_sequences"]:
        return Laid(y, 3)
    return Laid(place.call(torch.select, y, 1, -1), 2)


def _first(found: tuple[Any, Any]) -> Tensor:
    return found[0]


def _made(place: Place) -> nn.Module:
    cell = place.layer.cell
    cls, order = KINDS[type(place.layer).__name__]
    own, fed_back = tensor_of(cell.kernel), tensor_of(cell.recurrent_kernel)  # (in, gates * units)
    tensors = {"weight_ih_l0": _sorted(own.T, order), "weight_hh_l0": _sorted(fed_back.T, order)}
    if cell.bias is not None:
        bias = tensor_of(cell.bias)
        pair = bias if bias.dim() == 2 else torch.stack([bias, torch.zeros_like(bias)])
        tensors |= {"bias_ih_l0": _sorted(pair[0], order), "bias_hh_l0": _sorted(pair[1], order)}
    make: Any = cls
    inner = make(own.shape[0], fed_back.shape[0], bias=cell.bias is not None, batch_first=True, device="meta")
    return filled(inner, **tensors)


def _sorted(stacked: Tensor, order: Sequence[int]) -> Tensor:
    parts = stacked.chunk(len(order))
    return torch.cat([parts[i] for i in order])
