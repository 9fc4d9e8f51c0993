"""Operations of ``keras.ops`` inside functional models, such as ``x * 2``."""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from preimage.capture.importers.keras.layers.activation import MODULES
from preimage.capture.importers.keras.layers.merge import aligned
from preimage.capture.importers.keras.place import Laid, Place, operation

BINARY: Mapping[str, Callable[..., Any]] = {
    "Add": python.add,
    "Subtract": python.sub,
    "Multiply": python.mul,
    "Divide": python.truediv,
    "TrueDivide": python.truediv,
    "Power": python.pow,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
}
UNARY: Mapping[str, Callable[..., Any]] = {
    "Negative": torch.neg,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sqrt": torch.sqrt,
    "Rsqrt": torch.rsqrt,
    "Square": torch.square,
    "Absolute": torch.abs,
    "Abs": torch.abs,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Reciprocal": torch.reciprocal,
    "Arcsinh": torch.asinh,
    "Sinh": torch.sinh,
}
ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "Selu": "selu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
}
REDUCTIONS: Mapping[str, Callable[..., Any]] = {
    "Mean": torch.mean,
    "Sum": torch.sum,
    "Max": torch.amax,
    "Amax": torch.amax,
    "Min": torch.amin,
    "Amin": torch.amin,
}


@operation(*BINARY)
def binary(place: Place) -> Laid:
    """Of two values, or a value and a constant."""
    numbers = [isinstance(v, (int, float)) for v in place.args[:2]]
    if any(numbers):
        x = next(v for v in place.args if isinstance(v, Laid))
        values = [v.value if isinstance(v, Laid) else v for v in place.args[:2]]
        return Laid(place.call(BINARY[_name(place)], *values), x.rank, x.first)
    values, rank, first = aligned(place, list(place.args[:2]))
    return Laid(place.call(BINARY[_name(place)], *values), rank, first)


@operation(*UNARY)
def unary(place: Place) -> Laid:
    """Of one value."""
    x = place.operand
    return Laid(place.call(UNARY[_name(place)], x.value), x.rank, x.first)


@operation(*ACTIVATIONS)
def activation(place: Place) -> Laid:
    """Activations."""
    x = place.operand
    return Laid(place.module(MODULES[ACTIVATIONS[_name(place)]], x.value), x.rank, x.first)


@operation("LeakyRelu", "Gelu", "Softmax", "Elu")
def with_setting(place: Place) -> Laid:
    """Activations with a setting, which the operation keeps."""
    x, op = place.operand, place.layer
    if _name(place) == "LeakyRelu":
        return Laid(place.call(functional.leaky_relu, x.value, op.negative_slope), x.rank, x.first)
    if _name(place) == "Elu":
        return Laid(place.call(functional.elu, x.value, op.alpha), x.rank, x.first)
    if _name(place) == "Gelu":
        kind = "tanh" if op.approximate else "none"
        return Laid(place.call(functional.gelu, x.value, approximate=kind), x.rank, x.first)
    return Laid(place.call(torch.softmax, place.as_seen(x), op.axis), x.rank)


@operation(*REDUCTIONS)
def reduction(place: Place) -> Laid:
    """Over some axes of each sample."""
    x, op = place.operand, place.layer
    axes = op.axis if isinstance(op.axis, (tuple, list)) else (op.axis,)
    if None in axes or any(a % x.rank == 0 for a in axes):
        place.refuse("it mixes the samples of a batch")
    keep = bool(op.keepdims)
    value = place.call(REDUCTIONS[_name(place)], place.as_seen(x), tuple(axes), keepdim=keep)
    return Laid(value, x.rank if keep else x.rank - len(axes))


@operation("Reshape")
def reshape(place: Place) -> Laid:
    """Other sizes; the first one is the batch's."""
    sizes = tuple(place.layer.newshape)
    inner = tuple(-1 if n is None else n for n in sizes[1:])
    return Laid(place.call(_reshaped, place.as_seen(place.operand), inner), len(sizes))


def _reshaped(x: Tensor, inner: tuple[int, ...]) -> Tensor:
    return x.reshape(x.shape[0], *inner)


@operation("Transpose")
def transpose(place: Place) -> Laid:
    """Axes in another order."""
    x = place.operand
    axes = place.layer.axes or tuple(reversed(range(x.rank)))
    return Laid(place.call(torch.permute, place.as_seen(x), tuple(axes)), x.rank)


@operation("Concatenate")
def concatenate(place: Place) -> Laid:
    """Side by side."""
    values, axis = list(place.operand), place.layer.axis
    return Laid(place.call(torch.cat, [place.as_seen(v) for v in values], axis), values[0].rank)


@operation("Matmul")
def matmul(place: Place) -> Laid:
    """Batched matrix product."""
    values = [place.as_seen(v) for v in place.args[:2]]
    return Laid(place.call(torch.matmul, *values), max(v.rank for v in place.args if isinstance(v, Laid)))


@operation("GetItem")
def item(place: Place) -> Laid:
    """Numpy's indexing with numbers and slices."""
    x, key = place.operand, place.args[1] if len(place.args) > 1 else place.kwargs["key"]
    key = key if isinstance(key, tuple) else (key,)
    if any(not isinstance(k, (int, slice)) and k is not None and k is not Ellipsis for k in key):
        place.refuse("it is indexed by an array")
    rank = x.rank - sum(isinstance(k, int) for k in key) + sum(k is None for k in key)
    return Laid(place.call(python.getitem, place.as_seen(x), key), rank)


@operation("ExpandDims")
def expand(place: Place) -> Laid:
    """A new axis of length one."""
    x, axis = place.operand, place.layer.axis
    return Laid(place.call(torch.unsqueeze, place.as_seen(x), axis), x.rank + 1)


@operation("Squeeze")
def squeeze(place: Place) -> Laid:
    """Without an axis of length one."""
    x, axis = place.operand, place.layer.axis
    if not isinstance(axis, int):
        place.refuse("it does not name one axis")
    return Laid(place.call(torch.squeeze, place.as_seen(x), axis), x.rank - 1)


def _name(place: Place) -> str:
    return type(place.layer).__name__
