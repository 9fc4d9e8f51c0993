"""What several presets are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.bijection import Bijection, Chain
from preimage.layers import ActNorm, Coupling, ElementMap, LULinear, WhiteningNorm
from preimage.nets import MLP

WHITENED_UP_TO = 1024  # features; above it the linear map would cost more than the networks


def check_sizes(where: str, **sizes: int) -> None:
    """Refuse numbers of features, transforms and so on that are not positive; ``context`` may be 0."""
    for name, size in sizes.items():
        least = 0 if name == "context" else 1
        if not isinstance(size, int) or isinstance(size, bool) or size < least:
            raise ValueError(f"{where}: {name} is {size!r}, wanted a whole number of {least} or more")


def check_space(where: str, event_shape: object) -> tuple[int, ...]:
    """The shape of a signal or picture, refused where it is a number or holds anything but sizes."""
    shape = tuple(event_shape) if isinstance(event_shape, Sequence | torch.Size) else ()
    if len(shape) < 2 or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ValueError(
            f"{where}: event_shape is {event_shape!r}, wanted the shape of a picture (C, H, W) or a signal"
            " (C, T); for vectors use nsf or maf"
        )
    return shape


def check_two_features(where: str, features: int) -> None:
    """Refuse a coupling over one feature, where nothing could move."""
    check_sizes(where, features=features)
    if features < 2:
        raise ValueError(
            f"{where}: features is 1, but a coupling needs 2 or more, one to stay and one to move; use"
            " nsf or maf"
        )


def alternating(features: int, number: int) -> Tensor:
    """Which features stay in the coupling of this number: every other one, then the others ``(C,)``."""
    return torch.arange(features) % 2 == number % 2


def vector_coupling(
    features: int, number: int, element_map: ElementMap, hidden_features: list[int], context: int
) -> Coupling:
    """A coupling with a multilayer perceptron between alternating features."""
    stay = alternating(features, number)
    kept = int(stay.sum())
    net = MLP(kept, (features - kept) * element_map.count, hidden_features, context=context)
    return Coupling(stay, net, element_map, context=context or None)


def rotation(features: int) -> LULinear:
    """A learnable linear map that starts as a random rotation."""
    return LULinear.from_matrix(torch.linalg.qr(torch.randn(features, features)).Q)


def start(features: int) -> Bijection:
    """The first layer: it whitens the first batch, so that no network need learn linear dependencies."""
    return WhiteningNorm(features) if features <= WHITENED_UP_TO else ActNorm(features)


def chained(layers: list[Bijection], memory: str) -> Chain:
    """The layers in order."""
    return Chain(*layers, memory=memory)
