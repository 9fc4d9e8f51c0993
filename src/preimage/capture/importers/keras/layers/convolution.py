"""Convolutions of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.keras.layers.activation import activated
from preimage.capture.importers.keras.place import Laid, Place, layer
from preimage.capture.importers.layers import filled
from preimage.capture.importers.same_pad import SamePad

CONVOLUTIONS: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: tuple[type[nn.Module], ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@layer("Conv1D", "Conv2D", "Conv3D")
def convolution(place: Place) -> Laid:
    """Keras keeps weights as (*kernel, in / groups, out)."""
    kernel = place.weight("kernel")
    if kernel is None:
        return place.refuse("it is not built")
    weight = kernel.permute(-1, -2, *range(kernel.dim() - 2))
    return _finished(place, _convolved(place, weight, place.weight("bias"), place.config["groups"]))


@layer("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(place: Place) -> Laid:
    """Weights (*kernel, in, multiplier)."""
    kernel = place.weight("kernel")
    if kernel is None:
        return place.refuse("it is not built")
    return _finished(place, _convolved(place, _per_channel(kernel), place.weight("bias"), kernel.shape[-2]))


@layer("SeparableConv1D", "SeparableConv2D")
def separable(place: Place) -> Laid:
    """Each channel on its own, then all channels at each position."""
    depth, point = place.weight("depthwise_kernel"), place.weight("pointwise_kernel")
    if depth is None or point is None:
        return place.refuse("it is not built")
    value = _convolved(place, _per_channel(depth), None, depth.shape[-2], part="depthwise")
    weight, bias = point.permute(-1, -2, *range(point.dim() - 2)), place.weight("bias")
    cls: Any = CONVOLUTIONS[weight.dim() - 3]

    def make() -> nn.Module:
        inner = cls(weight.shape[1], weight.shape[0], 1, bias=bias is not None, device="meta")
        return filled(inner, weight=weight, bias=bias)

    return _finished(place, place.module(make, value))


def _per_channel(kernel: Tensor) -> Tensor:
    """(*kernel, in, multiplier) to (in * multiplier, 1, *kernel)."""
    return kernel.permute(-2, -1, *range(kernel.dim() - 2)).flatten(0, 1)[:, None]


def _finished(place: Place, value: Value) -> Laid:
    found = place.result(value, place.operand, place.config["data_format"])
    return Laid(activated(place, value, found), found.rank, found.first)


def _convolved(place: Place, weight: Tensor, bias: Tensor | None, groups: int, part: str = "") -> Value:
    """A convolution of weights (out, in / groups, *kernel), padded as the layer says."""
    config, axes = place.config, weight.dim() - 2
    stride, dilation = (_each(config[key], axes) for key in ("strides", "dilation_rate"))
    kernel = tuple(weight.shape[2:])
    x = place.ready(place.operand, config["data_format"])
    x, padding = _padded(place, x, kernel, stride, dilation)
    cls: Any = CONVOLUTIONS[axes - 1]

    def make() -> nn.Module:
        settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        inner = cls(
            weight.shape[1] * groups,
            weight.shape[0],
            kernel,
            bias=bias is not None,
            device="meta",
            **settings,
        )
        return filled(inner, weight=weight, bias=bias)

    return place.module(make, x, part=part)


def _padded(
    place: Place, x: Value, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[Value, tuple[int, ...]]:
    """The operand with borders that a layer cannot make itself, and the symmetric padding that it can."""
    mode = place.config["padding"]
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if mode == "valid":
        return x, (0,) * len(kernel)
    if mode == "causal":
        return place.call(functional.pad, x, (reach[0], 0)), (0,)
    if all(s == 1 for s in stride) and all(r % 2 == 0 for r in reach):
        return x, tuple(r // 2 for r in reach)
    return place.module(lambda: SamePad(kernel, stride, dilation), x, part="pad"), (0,) * len(kernel)


@layer("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def transposed(place: Place) -> Laid:
    """Weights (*kernel, out, in); what lies beyond the wanted size is cut off."""
    kernel, bias, config = place.weight("kernel"), place.weight("bias"), place.config
    if kernel is None:
        return place.refuse("it is not built")
    axes = kernel.dim() - 2
    weight = kernel.permute(-1, -2, *range(axes))
    stride, dilation = (_each(config[key], axes) for key in ("strides", "dilation_rate"))
    extra = None if config.get("output_padding") is None else _each(config["output_padding"], axes)
    cls: Any = TRANSPOSED[axes - 1]
    cut, longer = _ends(weight.shape[2:], stride, dilation, config["padding"], extra)

    def make() -> nn.Module:
        settings = {"stride": stride, "dilation": dilation, "output_padding": longer, "device": "meta"}
        inner = cls(
            weight.shape[0], weight.shape[1], tuple(weight.shape[2:]), bias=bias is not None, **settings
        )
        return filled(inner, weight=weight, bias=bias)

    value = place.module(make, place.ready(place.operand, config["data_format"]))
    return _finished(place, place.call(functional.pad, value, cut) if any(cut) else value)


def _ends(
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    mode: str,
    extra: Sequence[int] | None,
) -> tuple[list[int], list[int]]:
    """What to cut off (negative) at both ends of each axis, the last axis first; what to make longer."""
    cut: list[int] = []
    longer: list[int] = []
    for number, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True)):
        reach = (k - 1) * d + 1
        if mode == "valid":
            start, end = 0, max(s - reach, 0) if extra is None else extra[number]
        else:
            total = reach - s if extra is None else (reach // 2) * 2 - extra[number]
            start = max(total, 0) // 2 if extra is None else reach // 2
            start, end = -start, start - total
        cut = [start, min(end, 0), *cut]
        longer.append(max(end, 0))
    return cut, longer


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (int(value),) * axes if isinstance(value, int) else tuple(int(v) for v in value)
