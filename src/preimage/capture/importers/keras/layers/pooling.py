"""Pools."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.keras.place import Laid, Place, layer
from preimage.capture.importers.same_pad import SamePad

MAXIMUM: tuple[type[nn.Module], ...] = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVERAGE: tuple[type[nn.Module], ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
FUNCTIONS = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
GLOBAL = [f"Global{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3)]


@layer(*(f"MaxPooling{n}D" for n in (1, 2, 3)), *(f"AveragePooling{n}D" for n in (1, 2, 3)))
def pool(place: Place) -> Laid:
    """The largest or mean value of each window; borders do not count."""
    config, x = place.config, place.operand
    axes = x.rank - 2
    size, stride = _each(config["pool_size"], axes), _each(config["strides"] or config["pool_size"], axes)
    value, channels = place.ready(x, config["data_format"]), config["data_format"]
    largest = type(place.layer).__name__.startswith("Max")
    if config["padding"] == "same" and not largest:
        return place.result(place.module(lambda: _same_average()(size, stride), value), x, channels)
    if config["padding"] == "same":
        pad = SamePad(size, stride, (1,) * axes, value=-math.inf)
        value = place.module(lambda: pad, value, part="pad")
    cls: Any = (MAXIMUM if largest else AVERAGE)[axes - 1]
    return place.result(place.module(lambda: cls(size, stride), value), x, channels)


def _same_average() -> type[nn.Module]:
    """How the backend in use treats the borders of an average."""
    import keras

    return RepeatedBorders if keras.backend.backend() == "torch" else InnerMean


class InnerMean(nn.Module):
    """The mean of each window, borders left out.

    Args:
        size, stride: of the window, one number for each spatial axis.
    """

    def __init__(self, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.size, self.stride = size, stride
        self.pad = SamePad(size, stride, (1,) * len(size))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, *spatial)`` to windows."""
        average = FUNCTIONS[len(self.size) - 1]
        total = average(self.pad(x), self.size, self.stride)
        return total / average(self.pad(torch.ones_like(x)), self.size, self.stride)


class RepeatedBorders(nn.Module):
    """The same with Keras' torch backend: uneven borders are repeated pixels, which count.

    Args:
        size, stride: of the window, one number for each spatial axis.
    """

    def __init__(self, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.size, self.stride = size, stride
        self.pad = SamePad(size, stride, (1,) * len(size))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, *spatial)`` to windows."""
        average, amounts = FUNCTIONS[len(self.size) - 1], self.pad.amounts(x)
        if amounts[::2] == amounts[1::2]:
            even = amounts[::2][::-1]
            return average(x, self.size, self.stride, even, count_include_pad=False)
        return average(functional.pad(x, amounts, mode="replicate"), self.size, self.stride)


@layer(*GLOBAL)
def over_everything(place: Place) -> Laid:
    """Over all positions."""
    config, x = place.config, place.operand
    axes = tuple(range(2, x.rank))
    function = torch.amax if "Max" in type(place.layer).__name__ else torch.mean
    value = place.call(
        function, place.ready(x, config["data_format"]), axes, keepdim=bool(config["keepdims"])
    )
    if config["keepdims"]:
        return place.result(value, x, config["data_format"])
    return Laid(value, 2)


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (int(value),) * axes if isinstance(value, int) else tuple(int(v) for v in value)


@layer("UpSampling1D", "UpSampling2D", "UpSampling3D")
def enlarged(place: Place) -> Laid:
    """Every position repeated, or interpolated."""
    config, x = place.config, place.operand
    channels = config.get("data_format") or "channels_last"
    factors = tuple(float(f) for f in _each(config["size"], x.rank - 2))
    mode = config.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear", "bicubic"):
        place.refuse(f"interpolation {mode!r}")
    settings: dict[str, Any] = {"scale_factor": factors, "mode": mode}
    if mode != "nearest":
        settings["align_corners"] = False
    value = place.call(functional.interpolate, place.ready(x, channels), **settings)
    return place.result(value, x, channels)


@layer("Resizing")
def resized(place: Place) -> Laid:
    """To a fixed size."""
    config, x = place.config, place.operand
    special = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    if config["interpolation"] != "bilinear" or any(config.get(key) for key in special):
        place.refuse("another interpolation than plain bilinear")
    channels = config.get("data_format") or "channels_last"
    size = (config["height"], config["width"])
    value = place.call(
        functional.interpolate, place.ready(x, channels), size=size, mode="bilinear", align_corners=False
    )
    return place.result(value, x, channels)
