"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.capture.importers.builder import Value
from preimage.capture.importers.layers import filled
from preimage.capture.importers.onnx.operation import Operation, is_zero, operator

LAYERS: Mapping[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "LSTM": (nn.LSTM, (0, 2, 3, 1)),
    "GRU": (nn.GRU, (1, 0, 2)),
    "RNN": (nn.RNN, (0,)),
}
"""The layer, and where each of PyTorch's gates stands among those of ONNX."""


@operator(*LAYERS)
def recurrent(op: Operation) -> Value:
    """Sequences ``(T, N, in)`` to ``(T, directions, N, hidden)`` and the last states, from zero states."""
    _refuse_variants(op)
    w, r = op.constant(1, what="weights"), op.constant(2, what="recurrent weights")
    cls, order = LAYERS[op.kind]
    both, hidden = w.shape[0] == 2, r.shape[2]
    tensors: dict[str, Tensor] = {}
    for direction, suffix in enumerate(("", "_reverse")[: w.shape[0]]):
        tensors[f"weight_ih_l0{suffix}"] = _sorted(w[direction], order)
        tensors[f"weight_hh_l0{suffix}"] = _sorted(r[direction], order)
        bias = op.constant(3, None, "biases")
        if bias is not None:
            own, fed_back = bias[direction].chunk(2)
            tensors[f"bias_ih_l0{suffix}"] = _sorted(own, order)
            tensors[f"bias_hh_l0{suffix}"] = _sorted(fed_back, order)
    make: Any = cls
    layer = make(w.shape[2], hidden, bias="bias_ih_l0" in tensors, bidirectional=both, device="meta")
    found = op.build.module(op.name, filled(layer, **tensors), op.input(0))
    return _results(op, found, 2 if both else 1, hidden)


def _sorted(stacked: Tensor, order: Sequence[int]) -> Tensor:
    parts = stacked.chunk(len(order))
    return torch.cat([parts[i] for i in order])


def _results(op: Operation, found: Value, directions: int, hidden: int) -> tuple[Value, ...]:
    y = op.build.call(_first, found)  # (T, N, directions * hidden)
    y = op.build.call(_directions_apart, y, directions, hidden)
    if op.outputs == 1:
        return (y,)
    last = op.build.call(_state, found, 0)
    return (y, last) if op.outputs == 2 else (y, last, op.build.call(_state, found, 1))


def _first(found: tuple[Any, Any]) -> Tensor:
    return found[0]


def _state(found: tuple[Any, Any], number: int) -> Tensor:
    return found[1][number] if isinstance(found[1], tuple) else found[1]


def _directions_apart(y: Tensor, directions: int, hidden: int) -> Tensor:
    """``(T, directions, N, hidden)``."""
    return y.unflatten(2, (directions, hidden)).transpose(1, 2)


def _refuse_variants(op: Operation) -> None:
    defaults = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}[op.kind]
    named = tuple(str(a).lower() for a in op.attribute("activations", ())) or defaults
    if named[: len(defaults)] != defaults or op.attribute("clip") or op.attribute("layout", 0):
        op.refuse("other activations, clipping or layouts than the usual ones")
    if op.attribute("direction", "forward") == "reverse" or op.attribute("input_forget", 0):
        op.refuse("a reversed or coupled layer")
    if op.kind == "GRU" and not op.attribute("linear_before_reset", 0):
        op.refuse("a GRU that resets before its linear map")
    if op.input(4) is not None or op.input(7) is not None:
        op.refuse("sequences of several lengths, or peepholes")
    for index in (5, 6):
        state = op.input(index)
        if state is not None and not is_zero(state):
            op.refuse("an initial state that is not zero")
