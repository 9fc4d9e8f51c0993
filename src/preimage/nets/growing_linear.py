"""A masked linear layer whose inputs become known a few at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.nets.masked_linear import MaskedLinear

BLOCK = 32
"""Turns that share one large product; 16 to 64 take about the same time."""


class GrowingLinear:
    """A layer during a solve: it takes what is newly known, and gives what that makes computable.

    The outputs of a block of turns are begun together, by one product with all inputs that are known by then.
    Inputs that become known during the block are added to the rest of the block as they come. Units lie along
    the first dimension, rows of the batch along the second.

    Args:
        layer: the layer.
        y: the right-hand side ``(N, ...)``, for its number of rows, dtype and device.
        context: the context ``(N, C)``, or None.
    """

    def __init__(self, layer: MaskedLinear, y: Tensor, context: Tensor | None) -> None:
        self.known, self.ready = layer.known, layer.ready
        self.weight = (
            layer.masked_weight().index_select(0, self.ready.order).index_select(1, self.known.order)
        )
        offset = layer.offset(context)  # (out,) or (N, out)
        offset = offset[:, None] if offset.dim() == 1 else offset.t()  # (out, 1) or (out, N)
        self.offset = offset.index_select(0, self.ready.order)
        self.pieces = [y.new_empty(0, y.shape[0])]

    def step(self, turn: int, new: Tensor) -> Tensor:
        """The outputs of a turn ``(k, N)``, from the inputs that became known in it ``(j, N)``."""
        self.pieces.append(new)
        place = turn % BLOCK
        if place == 0:
            self.begin_block(turn)
        elif self.known.sizes[turn]:
            self.add(self.columns[place], new)
        return self.rows_of(place)

    def begin_block(self, turn: int) -> None:
        """Multiply all known inputs for the turns from this one to the end of the block."""
        self.pieces = [torch.cat(self.pieces)]  # (known, N)
        turns = slice(turn, turn + BLOCK)
        self.sizes = self.ready.sizes[turns]
        begin = self.ready.ends[turn] - self.sizes[0]
        rows = slice(begin, begin + sum(self.sizes))
        known = self.known.ends[turn]
        last = self.known.ends[turns][-1]
        weight = self.weight[rows]
        self.columns = (weight[:, :0], *weight[:, known:last].split(self.known.sizes[turns][1:], dim=1))
        self.sums = torch.addmm(self.offset[rows], weight[:, :known], self.pieces[0])  # (units, N)

    def add(self, weight: Tensor, new: Tensor) -> None:
        """Add the part of the new inputs to the sums of the block."""
        self.sums = torch.addmm(self.sums, weight, new)

    def rows_of(self, place: int) -> Tensor:
        """The sums of one turn of the block."""
        return self.sums.split(self.sizes)[place]


class InPlaceLinear(GrowingLinear):
    """The same with one tensor a block, for when nothing is differentiated, compiled or mapped."""

    def begin_block(self, turn: int) -> None:
        """As above, with the parts of all turns looked up once."""
        super().begin_block(turn)
        self.rows = self.sums.split(self.sizes)

    def add(self, weight: Tensor, new: Tensor) -> None:
        """Add in place."""
        self.sums.addmm_(weight, new)

    def rows_of(self, place: int) -> Tensor:
        """Looked up."""
        return self.rows[place]
