"""Normalisations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from preimage.capture.importers.keras.place import Laid, Place, layer
from preimage.capture.importers.layers import filled

BATCH: dict[int, type[nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}


@layer("BatchNormalization")
def batch_norm(place: Place) -> Laid:
    """With the moving statistics."""
    x, config = place.operand, place.config
    mean, variance = place.weight("moving_mean"), place.weight("moving_variance")
    if mean is None or variance is None:
        return place.refuse("it is not built")
    weight, bias = place.weight("gamma"), place.weight("beta")
    weight = torch.ones_like(mean) if weight is None else weight
    bias = torch.zeros_like(mean) if bias is None else bias
    axis = config["axis"][0] if isinstance(config["axis"], (list, tuple)) else config["axis"]
    channels = _channels(place, axis, x.rank)
    cls: Any = BATCH[x.rank]

    def make() -> nn.Module:
        tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
        return filled(cls(mean.numel(), eps=config["epsilon"], device="meta"), **tensors)

    return place.result(place.module(make, place.ready(x, channels)), x, channels)


def _channels(place: Place, axis: int, rank: int) -> str:
    if axis % rank == rank - 1:
        return "channels_last"
    return "channels_first" if axis == 1 else place.refuse(f"a norm along axis {axis}")


@layer("LayerNormalization")
def layer_norm(place: Place) -> Laid:
    """Over the last axes."""
    x, config = place.operand, place.config
    axes = config["axis"] if isinstance(config["axis"], (list, tuple)) else [config["axis"]]
    count = len(axes)
    if sorted(a % x.rank for a in axes) != list(range(x.rank - count, x.rank)):
        place.refuse(f"a norm along axes {list(axes)}; the last axes were wanted")
    weight, bias = place.weight("gamma"), place.weight("beta")
    shape = tuple(place.layer.input_spec.shape[-count:]) if getattr(place.layer, "input_spec", None) else ()
    shape = tuple(weight.shape) if weight is not None else tuple(bias.shape) if bias is not None else shape
    if not shape or config.get("rms_scaling"):
        place.refuse("a norm without parameters, or with rms_scaling")

    def make() -> nn.Module:
        eps = config["epsilon"]
        scale = torch.ones(shape) if weight is None else weight
        return filled(
            nn.LayerNorm(list(shape), eps=eps, bias=bias is not None, device="meta"), weight=scale, bias=bias
        )

    return Laid(place.module(make, place.as_seen(x)), x.rank)


@layer("RMSNormalization")
def rms_norm(place: Place) -> Laid:
    """Over the last axis, without a mean."""
    x, weight = place.operand, place.weight("scale")
    axes = place.config["axis"]
    axes = list(axes) if isinstance(axes, (list, tuple)) else [axes]
    if weight is None or len(axes) != 1 or axes[0] % x.rank != x.rank - 1:
        return place.refuse("another axis than the last one")
    eps = place.config["epsilon"]
    make = lambda: filled(nn.RMSNorm(weight.numel(), eps=eps, device="meta"), weight=weight)  # noqa: E731
    return Laid(place.module(make, place.as_seen(x)), x.rank)


@layer("GroupNormalization")
def group_norm(place: Place) -> Laid:
    """Over groups of channels."""
    x, config = place.operand, place.config
    channels = _channels(place, config["axis"], x.rank)
    weight, bias = place.weight("gamma"), place.weight("beta")
    if weight is None or bias is None:
        return place.refuse("a norm without parameters")
    count = weight.numel()
    groups = count if config["groups"] == -1 else config["groups"]

    def make() -> nn.Module:
        norm = nn.GroupNorm(groups, count, eps=config["epsilon"], device="meta")
        return filled(norm, weight=weight, bias=bias)

    return place.result(place.module(make, place.ready(x, channels)), x, channels)


@layer("UnitNormalization")
def unit_norm(place: Place) -> Laid:
    """Vectors of length one."""
    x, axis = place.operand, place.config["axis"]
    return Laid(place.call(functional.normalize, place.as_seen(x), dim=axis), x.rank)
