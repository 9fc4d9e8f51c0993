"""One layer of a Keras model as the translators see it, and values with their layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from preimage.capture.importers.builder import Builder, Value
from preimage.errors import CaptureError

ENDS_FIRST = 3
"""Fewest axes of a value whose channels may have moved: batch, channels and one spatial axis."""


@dataclass(frozen=True)
class Laid:
    """A value and how it is stored.

    Keras mostly puts channels last, PyTorch's layers read them first. What one convolution hands to the next
    is stored with channels first, so that no transpose stands between them.

    Args:
        value: what is stored.
        rank: number of axes, the batch included.
        first: whether channels are stored at axis 1 where Keras sees them at the end.
    """

    value: Value
    rank: int
    first: bool = False


@dataclass
class Place:
    """One call of a layer or operation.

    Args:
        layer: the Keras layer or operation.
        name: for the module that it becomes.
        args, kwargs: operands; values of the network are ``Laid``.
        build: writes the network.
        modules: what earlier calls of the same layer made, so that its weights stay shared.
    """

    layer: Any
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    build: Builder
    modules: dict[tuple[int, str], nn.Module] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """The layer's settings."""
        return self.layer.get_config()

    @property
    def operand(self) -> Any:
        """The first operand."""
        return self.args[0]

    def channels_first(self, x: Laid) -> Value:
        """A value ``(N, ..., C)`` as ``(N, C, ...)``."""
        if x.first or x.rank < ENDS_FIRST:
            return x.value
        return self.build.call(torch.movedim, x.value, -1, 1)

    def as_seen(self, x: Any) -> Any:
        """A value as Keras sees it; constants as they are."""
        if not isinstance(x, Laid):
            return constant(x)
        return self.build.call(torch.movedim, x.value, 1, -1) if x.first else x.value

    def ready(self, x: Laid, channels: str = "channels_last") -> Value:
        """What a layer of PyTorch reads, given where this layer of Keras has its channels."""
        return self.channels_first(x) if channels == "channels_last" else self.as_seen(x)

    def result(self, value: Value, x: Laid, channels: str = "channels_last") -> Laid:
        """What such a layer returns, stored as it is."""
        return Laid(value, x.rank, channels == "channels_last" and x.rank >= ENDS_FIRST)

    def module(self, make: Callable[[], nn.Module], *args: Value, part: str = "") -> Value:
        """Apply a module that is made once for each layer."""
        key = (id(self.layer), part)
        if key not in self.modules:
            self.modules[key] = make()
        return self.build.module(f"{self.name}_{part}" if part else self.name, self.modules[key], *args)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Value:
        """Apply a function."""
        return self.build.call(function, *args, **kwargs)

    def weight(self, name: str) -> Tensor | None:
        """A weight of the layer by the name of its attribute, or None where it has none."""
        variable = getattr(self.layer, name, None)
        return None if variable is None else tensor_of(variable)

    def refuse(self, reason: str) -> NoReturn:
        """Stop with the layer's name and the reason."""
        raise CaptureError(
            f"Keras layer {self.name!r} ({type(self.layer).__name__}) cannot be imported: {reason}. Instead:"
            " with the torch backend wrap the model in a torch.nn.Module and invert it, or export it to ONNX"
        )


def tensor_of(variable: Any) -> Tensor:
    """A Keras variable of any backend as a tensor of its own."""
    from keras import ops

    return torch.from_numpy(np.array(ops.convert_to_numpy(getattr(variable, "value", variable))))


def constant(value: Any) -> Any:
    """A constant operand: arrays and tensors of any backend as tensors, numbers as they are."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    return value


Translator = Callable[[Place], Any]
LAYERS: dict[str, Translator] = {}
"""Class name of a layer -> how to write it."""
OPERATIONS: dict[str, Translator] = {}
"""Class name of an operation of ``keras.ops`` -> how to write it."""


def layer(*names: str) -> Callable[[Translator], Translator]:
    """Register how to translate layers."""

    def register(translator: Translator) -> Translator:
        LAYERS.update(dict.fromkeys(names, translator))
        return translator

    return register


def operation(*names: str) -> Callable[[Translator], Translator]:
    """Register how to translate operations."""

    def register(translator: Translator) -> Translator:
        OPERATIONS.update(dict.fromkeys(names, translator))
        return translator

    return register
