"""A masked linear layer whose inputs become known a few at a time."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from preimage.functional.visible import values_are_visible
from preimage.nets.masked_linear import MaskedLinear


class GrowingLinear:
    """A layer during a solve: it takes what is newly known, and gives what that makes computable.

    Args:
        layer: the layer.
        y: the right-hand side ``(N, ...)``, for its number of rows, dtype and device.
        context: the context ``(N, C)``, or None.
    """

    def __init__(self, layer: MaskedLinear, y: Tensor, context: Tensor | None) -> None:
        known, ready = layer.known, layer.ready
        weight = layer.masked_weight().index_select(0, ready.order).index_select(1, known.order)
        offset = layer.offset(context)  # (out,) or (N, out)
        offset = (offset[:, None] if offset.dim() == 1 else offset.t()).index_select(0, ready.order)
        self.weights, self.offsets = weight.split(ready.sizes), offset.split(ready.sizes)
        self.ends = known.ends
        in_place = values_are_visible() and not torch.is_grad_enabled()
        self.inputs = _Buffer(y, len(known.order)) if in_place else _Pieces(y)

    def step(self, turn: int, new: Tensor) -> Tensor:
        """The outputs of a turn ``(k, N)``, from the inputs that became known in it ``(j, N)``."""
        inputs = self.inputs.grown(new, self.ends[turn])  # (known, N)
        return torch.addmm(self.offsets[turn], self.weights[turn][:, : self.ends[turn]], inputs)


class _Store(abc.ABC):
    """Rows that arrive in pieces."""

    @abc.abstractmethod
    def grown(self, new: Tensor, end: int) -> Tensor:
        """Everything so far, ``(end, N)``, with the new rows last."""


class _Buffer(_Store):
    """Written in place: each piece is copied once."""

    def __init__(self, y: Tensor, size: int) -> None:
        self.rows = y.new_empty(size, y.shape[0])

    def grown(self, new: Tensor, end: int) -> Tensor:
        self.rows[end - len(new) : end] = new
        return self.rows[:end]


class _Pieces(_Store):
    """Put together anew at each step, for autograd, compilers and ``torch.func``."""

    def __init__(self, y: Tensor) -> None:
        self.rows = y.new_empty(0, y.shape[0])

    def grown(self, new: Tensor, end: int) -> Tensor:
        if len(new):
            self.rows = torch.cat([self.rows, new])
        return self.rows
