"""Layers that join several values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch

from preimage.capture.importers.keras.place import Laid, Place, layer

ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    "Add": torch.add,
    "Subtract": torch.sub,
    "Multiply": torch.mul,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
}


def aligned(place: Place, values: list[Any]) -> tuple[list[Any], int, bool]:
    """Operands laid out alike: channels first where all have moved, else as Keras sees them."""
    laid = [v for v in values if isinstance(v, Laid)]
    rank = max(v.rank for v in laid)
    first = any(v.first for v in laid) and len(laid) == len(values) and all(v.rank == rank for v in laid)
    if not first:
        return [place.as_seen(v) for v in values], rank, False
    return [place.channels_first(v) for v in values], rank, True


@layer(*ELEMENTWISE)
def elementwise(place: Place) -> Laid:
    """Sums, products and the like."""
    values, rank, first = aligned(place, list(place.operand))
    function = ELEMENTWISE[type(place.layer).__name__]
    return Laid(functools.reduce(lambda a, b: place.call(function, a, b), values), rank, first)


@layer("Average")
def average(place: Place) -> Laid:
    """The mean of several values."""
    values, rank, first = aligned(place, list(place.operand))
    total = functools.reduce(lambda a, b: place.call(torch.add, a, b), values)
    return Laid(place.call(torch.div, total, len(values)), rank, first)


@layer("Concatenate")
def concatenate(place: Place) -> Laid:
    """Side by side."""
    values, rank, first = aligned(place, list(place.operand))
    axis = place.config["axis"] % rank
    stored = (1 if axis == rank - 1 else axis + 1 if axis else 0) if first else axis
    return Laid(place.call(torch.cat, values, stored), rank, first)


@layer("Dot")
def dot(place: Place) -> Laid:
    """Batched products along one axis of each operand."""
    a, b = (place.as_seen(v) for v in place.operand)
    axes, ranks = place.config["axes"], [v.rank for v in place.operand]
    axes = (axes, axes) if isinstance(axes, int) else tuple(axes)
    if place.config["normalize"] or max(ranks) > 3:
        place.refuse("a normalised product, or one of more than three axes")
    left, right = "abc"[: ranks[0]], "ade"[: ranks[1]]
    right = right.replace(right[axes[1] % ranks[1]], left[axes[0] % ranks[0]])
    kept = "a" + "".join(c for c in left[1:] + right[1:] if not (c in left and c in right))
    value = place.call(torch.einsum, f"{left},{right}->{kept}", a, b)
    return Laid(place.call(torch.unsqueeze, value, 1) if len(kept) == 1 else value, max(2, len(kept)))
