"""Joins and splits: an operation with several operands, solved for the one that is unknown."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.errors import DomainError
from preimage.inverse.planning.roles import register_structural
from preimage.inverse.registry import UNKNOWN, Site, Solved, register_inverse
from preimage.inverse.rules.reshape import zeros_log_det


@register_inverse("add", "sub")
def add(site: Site, y: Tensor) -> Solved:
    """x = y - c, y + c or c - y, whichever operand is unknown."""
    left, right = site.operands[:2]
    alpha = site.operand(2, "alpha", 1) * (-1 if site.operation == "sub" else 1)
    x = y - alpha * right if left is UNKNOWN else (y - left) / alpha
    return Solved(_reduced(x, site), zeros_log_det(site, y))


@register_inverse("mul")
def multiply(site: Site, y: Tensor) -> Solved:
    """x = y / c, where c is nowhere zero."""
    left, right = site.operands[:2]
    factor = torch.as_tensor(right if left is UNKNOWN else left, dtype=y.dtype, device=y.device)
    return _divided(site, y, factor)


@register_inverse("div")
def divide(site: Site, y: Tensor) -> Solved:
    """x = y c for an unknown numerator, c / y for an unknown denominator."""
    left, right = site.operands[:2]
    if left is UNKNOWN:
        factor = torch.as_tensor(right, dtype=y.dtype, device=y.device)
        return Solved(y * factor, _sum_log(factor.expand_as(y)))
    if bool((y == 0).any()):
        raise DomainError(f"{site.node.name}: c / x never equals zero, but y holds zeros")
    x = torch.as_tensor(left, dtype=y.dtype, device=y.device) / y
    return Solved(x, _sum_log(x) - _sum_log(y))


def _divided(site: Site, y: Tensor, factor: Tensor) -> Solved:
    dead = factor == 0
    x = torch.where(dead, torch.zeros_like(y), y / torch.where(dead, torch.ones_like(factor), factor))
    log_det = None if bool(dead.any()) else -_sum_log(factor.expand_as(y))
    return Solved(x, log_det, exact=1.0 - dead.expand_as(y).double().mean().item() if y.numel() else 1.0)


def _sum_log(x: Tensor) -> Tensor:
    return x.abs().log().flatten(1).sum(1) if x.dim() > 1 else x.abs().log()


def _reduced(x: Tensor, site: Site) -> Tensor:
    """The mean over axes along which the unknown operand was broadcast."""
    for axis, (have, want) in enumerate(zip(x.shape[1:], site.shape, strict=False), start=1):
        x = x.mean(axis, keepdim=True) if have != want else x
    return x


@register_inverse("cat")
def concatenate(site: Site, y: Tensor) -> Solved:
    """The slice of y that the operand became."""
    tensors, axis = site.node.args[0], site.operand(1, "dim", 0)
    names = [reference.name for reference in tensors]
    sizes = [_extent(site, name, axis, y) for name in names]
    start = sum(sizes[: names.index(site.source)])
    x = y.narrow(axis, start, sizes[names.index(site.source)])
    return Solved(x, zeros_log_det(site, y))


def _extent(site: Site, name: str, axis: int, y: Tensor) -> int:
    """Size of an operand along the joined axis."""
    layout = site.graph.layout(name) if site.graph.is_data(name) else None
    if layout is not None:
        return layout.sizes(site.graph.shape(name), site.samples(y))[axis]
    operands = dict(zip((r.name for r in site.node.args[0]), site.operands[0], strict=True))
    return operands[name].shape[axis]


@register_inverse("stack")
def stack(site: Site, y: Tensor) -> Solved:
    """The layer of y that the operand became."""
    names = [reference.name for reference in site.node.args[0]]
    return Solved(y.select(site.operand(1, "dim", 0), names.index(site.source)), zeros_log_det(site, y))


@register_inverse("preimage::gather")
def gather(site: Site, y: Tensor) -> Solved:
    """Never called: the executor hands the known parts on as a list."""
    return Solved(y)


SPLITS = ("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_chunk", "unsafe_split")
"""Operations with several results that together hold every number."""

register_structural(*SPLITS, "cat", "stack")


@register_inverse(*SPLITS)
def parts(site: Site, y: Tensor) -> Solved:
    """All parts, put together again."""
    values = list(y)
    unbound = site.operation == "unbind"
    axis = site.operand(1 if unbound else 2, "dim", 0)
    x = torch.stack(values, axis) if unbound else torch.cat(values, axis)
    layout = site.graph.layout(site.source)
    return Solved(x, x.new_zeros(x.shape[0] if layout is None else layout.samples(x)))
