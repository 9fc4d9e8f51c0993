"""Operations that only move numbers: their inverse moves them back, exactly."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.roles import register_structural
from preimage.inverse.registry import Site, Solved, register_inverse

SAME_ORDER = (
    "view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous", "clone",
    "alias", "detach", "dropout", "feature_dropout", "alpha_dropout", "view_as", "reshape_as", "identity",
)  # fmt: skip
"""Operations that keep the numbers in their order."""

MOVES = (
    "permute", "transpose", "t", "movedim", "roll", "flip", "pixel_shuffle", "pixel_unshuffle", "swapaxes",
    "channel_shuffle", "native_channel_shuffle",
)  # fmt: skip
"""Operations that permute the numbers."""


register_structural(*SAME_ORDER, *MOVES)


def zeros_log_det(site: Site, y: Tensor) -> Tensor:
    """log_det of a volume-preserving step, ``(N,)`` zeros."""
    return y.new_zeros(site.samples(y))


def _unchanged(graph: Graph, node: Node) -> Guarantee:
    return Guarantee.EXACT if node.size == graph.size(node.inputs[0]) else Guarantee.ESTIMATE


@register_inverse(*SAME_ORDER, guarantee=_unchanged)
def same_order(site: Site, y: Tensor) -> Solved:
    """x has the numbers of y in the same order."""
    return Solved(y.reshape(site.sizes(y)), zeros_log_det(site, y))


@register_inverse(*MOVES, guarantee=_unchanged)
def moves(site: Site, y: Tensor) -> Solved:
    """The inverse of a permutation of numbers is its transpose; here: numbers are followed by their index."""
    sizes = site.sizes(y)
    index = torch.arange(y.numel(), device=y.device).view(sizes)
    moved = site.node.target(*_with(site.operands, index), **site.options).reshape(-1)
    x = torch.empty_like(moved, dtype=y.dtype).scatter_(0, moved, y.reshape(-1)).view(sizes)
    return Solved(x, zeros_log_det(site, y))


def _with(operands: tuple[Any, ...], value: Tensor) -> tuple[Any, ...]:
    return (value, *operands[1:])
