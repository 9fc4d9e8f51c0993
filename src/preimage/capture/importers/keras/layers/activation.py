"""Activations, as layers and inside layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.keras.place import Laid, Place, layer
from preimage.capture.importers.layers import filled

MODULES: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_silu": nn.Hardswish,
    "hard_swish": nn.Hardswish,
    "hard_tanh": nn.Hardtanh,
    "log_sigmoid": nn.LogSigmoid,
    "tanh_shrink": nn.Tanhshrink,
    "soft_shrink": nn.Softshrink,
    "hard_shrink": nn.Hardshrink,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
}
SOFTMAX: Mapping[str, type[nn.Module]] = {"softmax": nn.Softmax, "log_softmax": nn.LogSoftmax}


def activated(place: Place, value: Value, x: Laid, function: Any = None) -> Value:
    """The activation of a layer, or another function of Keras, on a value that is laid out like ``x``."""
    function = getattr(place.layer, "activation", None) if function is None else function
    name = getattr(function, "__name__", "linear") if function is not None else "linear"
    if name == "linear":
        return value
    if name == "exponential":
        return place.call(torch.exp, value)
    if name in SOFTMAX:
        axis = 1 if x.first else -1
        return place.module(lambda: SOFTMAX[name](axis), value, part=name)
    if name not in MODULES:
        place.refuse(f"its activation {name!r} is not known here")
    return place.module(MODULES[name], value, part=name)


@layer("Activation")
def activation(place: Place) -> Laid:
    """An activation by name."""
    x = place.operand
    return Laid(activated(place, x.value, x), x.rank, x.first)


@layer("ReLU")
def relu(place: Place) -> Laid:
    """With an upper end, a slope on the negative side, or neither."""
    x, config = place.operand, place.config
    top, slope, threshold = config["max_value"], config["negative_slope"], config["threshold"]
    if threshold or (slope and top is not None):
        place.refuse("a threshold, or a slope together with an upper end")
    if slope:
        value = place.module(lambda: nn.LeakyReLU(slope), x.value)
    elif top is None:
        value = place.module(nn.ReLU, x.value)
    else:
        value = place.module(nn.ReLU6 if top == 6 else lambda: nn.Hardtanh(0.0, float(top)), x.value)
    return Laid(value, x.rank, x.first)


@layer("LeakyReLU", "ELU")
def one_setting(place: Place) -> Laid:
    """Activations with one number."""
    x, config = place.operand, place.config
    if type(place.layer).__name__ == "ELU":
        value = place.module(lambda: nn.ELU(float(config["alpha"])), x.value)
    else:
        value = place.module(lambda: nn.LeakyReLU(float(config["negative_slope"])), x.value)
    return Laid(value, x.rank, x.first)


@layer("Softmax")
def softmax(place: Place) -> Laid:
    """Along one axis."""
    x, axis = place.operand, place.config["axis"]
    if isinstance(axis, (tuple, list)):
        if len(axis) != 1:
            place.refuse("a softmax over several axes")
        axis = axis[0]
    if axis in (-1, x.rank - 1):
        return Laid(place.module(lambda: nn.Softmax(1 if x.first else -1), x.value), x.rank, x.first)
    return Laid(place.module(lambda: nn.Softmax(axis), place.as_seen(x)), x.rank)


@layer("PReLU")
def prelu(place: Place) -> Laid:
    """With one slope for each channel; slopes that differ between positions are a product."""
    x, slope = place.operand, place.weight("alpha")
    if slope is None:
        return place.refuse("it has no slopes")
    if slope.numel() == slope.shape[-1]:
        value = place.channels_first(x)
        make = lambda: filled(nn.PReLU(slope.numel(), device="meta"), weight=slope.flatten())  # noqa: E731
        return place.result(place.module(make, value), x)
    return Laid(place.call(_prelu, place.as_seen(x), slope), x.rank)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return functional.relu(x) - slope * functional.relu(-x)
