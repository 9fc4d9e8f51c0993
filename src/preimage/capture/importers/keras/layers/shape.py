"""Layers that move numbers about."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.keras.place import Laid, Place, layer


@layer("Flatten")
def flatten(place: Place) -> Laid:
    """One vector, in the order that Keras has."""
    x = place.operand
    moved = place.config["data_format"] == "channels_first" and x.rank > 2
    value = place.call(torch.movedim, place.as_seen(x), 1, -1) if moved else place.as_seen(x)
    return Laid(place.module(nn.Flatten, value), 2)


@layer("Reshape")
def reshape(place: Place) -> Laid:
    """Other sizes for each sample."""
    sizes = tuple(place.config["target_shape"])
    value = place.module(nn.Flatten, place.as_seen(place.operand), part="flat")
    return Laid(place.module(lambda: nn.Unflatten(1, _known(place, sizes)), value), len(sizes) + 1)


def _known(place: Place, sizes: tuple[int, ...]) -> tuple[int, ...]:
    shape = getattr(place.layer, "_resolved_target_shape", None)
    return tuple(shape) if shape is not None and None not in shape else sizes


@layer("Permute")
def permute(place: Place) -> Laid:
    """Axes of each sample in another order; Keras counts them from 1."""
    axes = (0, *place.config["dims"])
    return Laid(place.call(torch.permute, place.as_seen(place.operand), axes), place.operand.rank)


@layer("RepeatVector")
def repeat(place: Place) -> Laid:
    """One vector, several times."""
    return Laid(place.call(_repeated, place.as_seen(place.operand), place.config["n"]), 3)


def _repeated(x: Tensor, times: int) -> Tensor:
    return x[:, None].expand(-1, times, -1)


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(place: Place) -> Laid:
    """Borders of zeros."""
    return _bordered(place, place.config["padding"], 1)


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(place: Place) -> Laid:
    """Borders cut off."""
    return _bordered(place, place.config["cropping"], -1)


def _bordered(place: Place, borders: Any, sign: int) -> Laid:
    x, channels = place.operand, place.config.get("data_format") or "channels_last"
    pairs = [borders] if x.rank == 3 else borders
    amounts = [sign * n for pair in reversed([tuple(p) for p in pairs]) for n in pair]
    return place.result(place.call(functional.pad, place.ready(x, channels), amounts), x, channels)
