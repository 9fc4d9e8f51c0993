"""The inverse of every operation the library knows; importing this package registers them."""

from preimage.inverse.rules import (
    affine,
    affine_inverse,
    elementary,
    embedded,
    enclosed,
    gate,
    join,
    norm,
    pointwise,
    pool,
    recorded,
    reshape,
    saturated,
    saturation,
    selected,
    turning,
)

__all__ = [
    "affine",
    "affine_inverse",
    "elementary",
    "embedded",
    "enclosed",
    "gate",
    "join",
    "norm",
    "pointwise",
    "pool",
    "recorded",
    "reshape",
    "saturated",
    "saturation",
    "selected",
    "turning",
]
