"""Folding: fewer maps that compute the same, so that structure becomes visible to the solvers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from preimage.inverse.linear.affine import AffineMap
from preimage.inverse.linear.base import Affine, LinearMap, Shape
from preimage.inverse.linear.composition import Composition
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.linear.dense import Dense
from preimage.inverse.linear.identity import Identity
from preimage.inverse.linear.pad import Pad
from preimage.inverse.linear.reshape import Permute, Reshape
from preimage.inverse.linear.scale import Scale

FoldRule = Callable[[Any, Any], LinearMap | None]

_RULES: dict[tuple[type[LinearMap], type[LinearMap]], FoldRule] = {}


def register_fold(before: type[LinearMap], after: type[LinearMap]) -> Callable[[FoldRule], FoldRule]:
    """Register how two neighbours become one map.

    The rule takes both maps and returns the folded one, or None where they do not fold.
    """

    def register(rule: FoldRule) -> FoldRule:
        _RULES[before, after] = rule
        return rule

    return register


def fold(linear: LinearMap) -> LinearMap:
    """The same map with as few parts as the registered rules allow.

    Padding moves into the convolution that follows, diagonal factors into a neighbouring convolution or
    matrix, and identities disappear. Changed weights are float64 snapshots, so folding adds no rounding that
    a float32 network would notice; unchanged ones stay references.

    Args:
        linear: any linear map.

    Returns:
        An equal map.

    Example:
        >>> import torch
        >>> kernel = Convolution(torch.ones(1, 1, 2), (1, 4))
        >>> print(fold(Composition([Pad((1, 3), [(0, 1)]), kernel])))
        Convolution(1x3 -> 1x3)
    """
    parts = list(linear.parts) if isinstance(linear, Composition) else [linear]
    folded: list[LinearMap] = []
    for part in parts:
        _push(folded, part)
    return folded[0] if len(folded) == 1 else Composition(folded)


def fold_affine(affine: Affine) -> tuple[LinearMap, Tensor]:
    """Snapshot (A, b) of an affine map with A folded and b expanded to the full event shape.

    Returns:
        The folded map and b in float64, ``out_shape``.
    """
    linear = fold(affine.linear)
    offset = affine.offset
    if offset is None:
        device = next((t.device for t in affine.tensors()), torch.device("cpu"))
        offset = torch.zeros((), dtype=torch.float64, device=device)
    return linear, offset.detach().double().expand(affine.out_shape)


def snapshot(affine: Affine) -> AffineMap:
    """The folded map with its offset, frozen at the present values of the parameters."""
    return AffineMap(*fold_affine(affine))


def _push(folded: list[LinearMap], part: LinearMap) -> None:
    if not folded:
        folded.append(part)
        return
    joined = _join(folded[-1], part)
    if joined is None:
        folded.append(part)
        return
    folded.pop()
    _push(folded, joined)


def _join(before: LinearMap, after: LinearMap) -> LinearMap | None:
    if isinstance(before, Identity):
        return after
    if isinstance(after, Identity):
        return before
    rule = _RULES.get((type(before), type(after)))
    return None if rule is None else rule(before, after)


def with_weight(convolution: Convolution, weight: Tensor) -> Convolution:
    """The same convolution with other weights."""
    return Convolution(
        weight,
        convolution.in_shape,
        convolution.stride,
        convolution.padding,
        dilation=convolution.dilation,
        groups=convolution.groups,
    )


@register_fold(Pad, Convolution)
def _pad_convolution(before: Pad, after: Convolution) -> Convolution | None:
    spatial = after.dimensions
    pairs = [(0, 0)] * (spatial + 1 - len(before.padding)) + list(before.padding)
    if len(pairs) != spatial + 1 or pairs[0] != (0, 0):
        return None
    joined = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(pairs[1:], after.padding, strict=True)]
    if any(min(a) < 0 < max(b) for a, b in zip(pairs[1:], after.padding, strict=True)):
        return None  # cropped samples would come back instead of zeros
    return Convolution(
        after.weight, before.in_shape, after.stride, joined, dilation=after.dilation, groups=after.groups
    )


@register_fold(Convolution, Scale)
def _convolution_scale(before: Convolution, after: Scale) -> Convolution | None:
    gain = _per_channel(after.scale, after.in_shape)
    if gain is None:
        return None
    return with_weight(before, before.weight.detach().double() * _as_rows(gain, before.weight.dim()))


@register_fold(Scale, Convolution)
def _scale_convolution(before: Scale, after: Convolution) -> Convolution | None:
    gain = _per_channel(before.scale, before.in_shape)
    if gain is None:
        return None
    per_group = gain.view(after.groups, -1).repeat_interleave(after.weight.shape[0] // after.groups, 0)
    weight = after.weight.detach().double()
    return with_weight(after, weight * per_group.view(*weight.shape[:2], *[1] * after.dimensions))


@register_fold(Dense, Scale)
def _dense_scale(before: Dense, after: Scale) -> Dense | None:
    gain = _last_axis(after.scale, after.in_shape)
    return None if gain is None else Dense(before.weight.detach().double() * gain[:, None], before.in_shape)


@register_fold(Scale, Dense)
def _scale_dense(before: Scale, after: Dense) -> Dense | None:
    gain = _last_axis(before.scale, before.in_shape)
    return None if gain is None else Dense(after.weight.detach().double() * gain, before.in_shape)


@register_fold(Scale, Scale)
def _scale_scale(before: Scale, after: Scale) -> Scale:
    return Scale(before.scale.detach().double() * after.scale.detach().double(), before.in_shape)


@register_fold(Dense, Dense)
def _dense_dense(before: Dense, after: Dense) -> Dense | None:
    if before.weight.shape[0] < min(before.weight.shape[1], after.weight.shape[0]):
        return None  # the product would be larger than its factors
    return Dense(after.weight.detach().double() @ before.weight.detach().double(), before.in_shape)


@register_fold(Reshape, Reshape)
def _reshape_reshape(before: Reshape, after: Reshape) -> LinearMap:
    if before.in_shape == after.out_shape:
        return Identity(before.in_shape)
    return Reshape(before.in_shape, after.out_shape)


@register_fold(Permute, Permute)
def _permute_permute(before: Permute, after: Permute) -> LinearMap:
    order = tuple(before.order[axis] for axis in after.order)
    if order == tuple(range(len(order))):
        return Identity(before.in_shape)
    return Permute(before.in_shape, order)


def _as_rows(gain: Tensor, dimensions: int) -> Tensor:
    return gain.view(-1, *[1] * (dimensions - 1))


def _full(scale: Tensor, dimensions: int) -> Tensor:
    return scale.detach().double().view(*[1] * (dimensions - scale.dim()), *scale.shape)


def _per_channel(scale: Tensor, shape: Shape) -> Tensor | None:
    full = _full(scale, len(shape))
    if math.prod(full.shape[1:]) != 1:
        return None
    return full.reshape(-1).expand(shape[0])


def _last_axis(scale: Tensor, shape: Shape) -> Tensor | None:
    full = _full(scale, len(shape))
    if math.prod(full.shape[:-1]) != 1:
        return None
    return full.reshape(-1).expand(shape[-1])
