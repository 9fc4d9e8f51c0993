"""Functions of one number that consist of straight pieces, written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.capture.graph import Node
from preimage.inverse.preimages.search.curves import Function
from preimage.inverse.preimages.search.wiring import Wiring

AT_ZERO = frozenset({"relu", "leaky_relu", "prelu", "_prelu_kernel", "abs"})
"""Operations that bend at 0 alone."""

CLIPPED = frozenset({"relu6", "hardtanh", "clamp", "clamp_min", "clamp_max"})
"""Operations that are the identity between their smallest and their largest value."""

FAR = 1e30
"""So far away that an operation which clips has clipped."""


@final
@dataclass(frozen=True)
class Pieces:
    """M functions, each straight between K kinks and beyond them.

    Args:
        kinks: where they bend, ascending, ``(K, M)``.
        values: what they are there, ``(K, M)``.
        slopes: of the pieces, from left to right, ``(K + 1, M)``.
    """

    kinks: Tensor
    values: Tensor
    slopes: Tensor


@torch.no_grad()
def pieces_of(wiring: Wiring, like: Tensor) -> tuple[Pieces, ...] | None:
    """The functions at which a network was cut, one entry an operation; None where one of them is curved.

    Args:
        wiring: the network cut at its functions.
        like: decides dtype and device of the network.
    """
    found = [_pieces(node, phi, like) for node, phi in wiring.functions()]
    known = tuple(pieces for pieces in found if pieces is not None)
    return known if len(known) == len(found) else None


def _pieces(node: Node, phi: Function, like: Tensor) -> Pieces | None:
    def at(z: Tensor) -> Tensor:
        """The values at ``(K, M)``, in float64."""
        return phi(z.to(like).view(-1, *node.shape)).flatten(1).double()

    kinks = _kinks(node, at, torch.zeros(1, node.size, dtype=torch.float64, device=like.device))
    return _between(kinks, at(kinks), at(kinks[:1] - 1), at(kinks[-1:] + 1)) if len(kinks) else None


def _kinks(node: Node, at: Function, zero: Tensor) -> Tensor:
    """Where an operation bends, ``(K, M)``; nowhere for one that is curved."""
    if node.operation in AT_ZERO:
        return zero
    if node.operation in CLIPPED:
        ends = at(torch.cat([zero - FAR, zero + FAR]))
        return ends[(ends.abs() < FAR / 2).all(1)]
    return torch.cat([zero - 3, zero + 3]) if node.operation == "hardsigmoid" else zero[:0]


def _between(kinks: Tensor, values: Tensor, before: Tensor, after: Tensor) -> Pieces:
    """From the values at the kinks, and one to the left and one to the right of them all."""
    run = kinks.diff(dim=0)
    inner = torch.where(run > 0, values.diff(dim=0) / run, 0.0)
    return Pieces(kinks, values, torch.cat([values[:1] - before, inner, after - values[-1:]]))
