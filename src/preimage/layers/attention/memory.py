"""Keys and values of the tokens that a causal transformer has seen."""

from __future__ import annotations

import abc
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from preimage.functional.visible import values_are_visible
from preimage.layers.attention.attend import attend_to_earlier


class Memory(abc.ABC):
    """Earlier tokens, to which new ones attend. The new ones stay new until :meth:`keep` is called.

    Reference: Shazeer (2019), Fast transformer decoding, https://arxiv.org/abs/1911.02150

    Example:
        >>> import torch
        >>> memory = new_memory(blocks=1, tokens=3)
        >>> one = torch.ones(1, 1, 1, 2)  # (N, heads, L, d)
        >>> _ = memory.attend(0)(one, one, one)
        >>> memory.keep(1)
        >>> memory.attend(0)(one, one, 3 * one)
        tensor([[[[2., 2.]]]])
    """

    def attend(self, block: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """The attention of one block of the transformer, over earlier and new tokens."""
        return partial(self._attend, block)

    def _attend(self, block: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return attend_to_earlier(queries, *self.extended(block, keys, values))

    @abc.abstractmethod
    def extended(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values ``(N, heads, S, d)`` of a block, the new ones ``(N, heads, L, d)`` last."""

    @abc.abstractmethod
    def keep(self, tokens: int) -> None:
        """Keep the first of the new tokens, so many, as they were when each block last saw them."""


class WrittenMemory(Memory):
    """Written in place: every token is copied once. For eager code without gradients.

    Args:
        blocks: number of blocks of the transformer.
        tokens: most tokens that it will hold.
    """

    def __init__(self, blocks: int, tokens: int) -> None:
        self.tokens, self.kept = tokens, 0
        self.stored: list[tuple[Tensor, Tensor] | None] = [None] * blocks

    def extended(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write behind the kept ones."""
        room = self.stored[block]
        if room is None:
            size = (*keys.shape[:2], self.tokens, keys.shape[3])
            room = self.stored[block] = keys.new_empty(size), values.new_empty(size)
        end = self.kept + keys.shape[2]
        for stored, new in zip(room, (keys, values), strict=True):
            stored[:, :, self.kept : end] = new
        return room[0][:, :, :end], room[1][:, :, :end]

    def keep(self, tokens: int) -> None:
        """Move the end."""
        self.kept += tokens


class JoinedMemory(Memory):
    """Put together anew each time, for autograd, compilers and ``torch.func``.

    Args:
        blocks: number of blocks of the transformer.
    """

    def __init__(self, blocks: int) -> None:
        self.kept: list[tuple[Tensor, Tensor] | None] = [None] * blocks
        self.newest: list[tuple[Tensor, Tensor] | None] = [None] * blocks

    def extended(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """One behind the other."""
        kept = self.kept[block]
        joined = (
            (keys, values)
            if kept is None
            else (torch.cat([kept[0], keys], dim=2), torch.cat([kept[1], values], dim=2))
        )
        self.newest[block] = joined
        return joined

    def keep(self, tokens: int) -> None:
        """What was put together last is what is kept, up to so many new tokens."""
        self.kept = [
            None if newest is None else self._first(kept, newest, tokens)
            for kept, newest in zip(self.kept, self.newest, strict=True)
        ]

    def _first(
        self, kept: tuple[Tensor, Tensor] | None, newest: tuple[Tensor, Tensor], tokens: int
    ) -> tuple[Tensor, Tensor]:
        end = tokens if kept is None else kept[0].shape[2] + tokens
        return newest[0][:, :, :end], newest[1][:, :, :end]


def new_memory(blocks: int, tokens: int) -> Memory:
    """An empty memory of the kind that suits the way in which code is run now.

    Args:
        blocks: number of blocks of the transformer.
        tokens: most tokens that it will hold.
    """
    if values_are_visible() and not torch.is_grad_enabled():
        return WrittenMemory(blocks, tokens)
    return JoinedMemory(blocks)
