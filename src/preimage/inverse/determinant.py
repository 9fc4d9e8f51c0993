"""log abs det of square linear maps, by structure."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from preimage.inverse.linear import (
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Permute,
    Reshape,
    Scale,
    Selection,
)

LARGEST_DENSE = 1024
"""Maps with more unknowns and no structure of their own are not written out."""

_RULES: dict[type[LinearMap], Callable[[Any], Tensor | None]] = {}


def log_abs_det(linear: LinearMap) -> Tensor | None:
    """log abs det A of a square map, a float64 scalar with gradients; None where it is not affordable.

    Args:
        linear: a map with as many outputs as inputs.

    Cost:
        One LU factorisation of the matrix that acts at each position; of the whole matrix for small maps.
    """
    if linear.in_size != linear.out_size:
        return None
    rule = _RULES.get(type(linear))
    found = rule(linear) if rule is not None else None
    if found is None and linear.in_size <= LARGEST_DENSE:
        found = torch.linalg.slogdet(linear.dense())[1]
    return found


def _zero(_: LinearMap) -> Tensor:
    return torch.zeros((), dtype=torch.float64)


def _scale(linear: Scale) -> Tensor:
    return linear.scale.double().abs().log().expand(linear.in_shape).sum()


def _selection(linear: Selection) -> Tensor | None:
    return _zero(linear) if bool((linear.counts() == 1).all()) else None


def _dense(linear: Dense) -> Tensor:
    return torch.linalg.slogdet(linear.weight.double())[1] * prod(linear.in_shape[:-1])


def _convolution(linear: Convolution) -> Tensor | None:
    pointwise = prod(linear.weight.shape[2:]) == 1 and linear.in_shape[1:] == linear.out_shape[1:]
    if not pointwise or any(step != 1 for step in linear.stride):
        return None
    blocks = linear.weight.double().view(linear.groups, -1, linear.weight.shape[1])
    return torch.linalg.slogdet(blocks)[1].sum() * prod(linear.in_shape[1:])


def _composition(linear: Composition) -> Tensor | None:
    parts = [log_abs_det(part) for part in linear.parts]
    return (
        None
        if any(part is None for part in parts)
        else sum((p for p in parts if p is not None), _zero(linear))
    )


_RULES.update(
    {
        Identity: _zero,
        Permute: _zero,
        Reshape: _zero,
        Scale: _scale,
        Selection: _selection,
        Dense: _dense,
        Convolution: _convolution,
        Composition: _composition,
    }
)
