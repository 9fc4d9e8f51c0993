"""A transformer that looks back only, as the network of an autoregressive layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.functional.autoregressive.sweeps import fixed_point_sweeps
from preimage.functional.event import sum_event
from preimage.functional.visible import values_are_visible
from preimage.layers.attention.attend import attend_to_earlier
from preimage.layers.attention.memory import Memory, new_memory
from preimage.layers.attention.sliding_window import ROUNDING, sliding_window
from preimage.layers.attention.transformer_block import TransformerBlock
from preimage.nets import zero_last_layer
from preimage.nets.autoregressive_net import AutoregressiveNet, Invert, Solution


class CausalTransformer(AutoregressiveNet):
    r"""Parameters for every token from the tokens before it, by causal attention.

    A token is a position with all its channels. Token t gets the output of the transformer for tokens
    0 ... t-1; the first one gets free parameters (plus a linear map of the context). All outputs start at
    zero.

    The network is undone token by token with the keys and values of earlier tokens remembered, so that all
    of it costs about as many operations as one forward pass, in T sequential steps. With ``together`` > 1
    that many tokens are guessed and corrected at once, given the tokens before, in a window that moves on
    behind every token that has settled, see :func:`sliding_window`: fewer steps where tokens depend weakly on
    each other, never more than T, and the same answer up to rounding. Compiled code, ``torch.export`` and
    ``torch.func``, which cannot look whether a token has settled, go token by token.

    Reference: Zhai et al. (2024), Normalizing flows are capable generative models (TarFlow),
    https://arxiv.org/abs/2412.06329; sweeps: Liu, Qin (2025), Accelerate TarFlow sampling with GS-Jacobi
    iteration, https://arxiv.org/abs/2505.12849

    Args:
        channels: number C of channels of a token.
        positions: sizes of the dimensions of space, such as ``(8, 8)``; T is their product, at least 2.
        count: number of parameters of each element, 2 for :class:`~preimage.layers.AffineMap`.
        width: size of a token inside.
        depth: number of blocks.
        heads: number of heads.
        context: size of a context vector ``(N, context)``, which is added to every token; 0 for none.
        order: the positions, counted row by row, in the order in which they follow each other; row by row
            by default. ``range(T - 1, -1, -1)`` looks the other way.
        together: number of tokens that the inverse corrects at once, 1 to T.

    Returns:
        Parameters ``(N, C, *positions, count)`` for x ``(N, C, *positions)``.

    Raises:
        ValueError: fewer than two positions, an order that is not a permutation, or ``together`` outside its
            range.

    Cost: O(N T width (width + T) depth), forwards and (one token at a time) for the inverse.

    Example:
        >>> import torch
        >>> net = CausalTransformer(3, (2, 2), width=16, heads=2)
        >>> net(torch.randn(5, 3, 2, 2)).shape, net.passes
        (torch.Size([5, 3, 2, 2, 2]), 4)
    """

    rank: Tensor
    order: Tensor

    def __init__(
        self,
        channels: int,
        positions: Sequence[int],
        count: int = 2,
        width: int = 256,
        depth: int = 2,
        heads: int = 4,
        context: int = 0,
        order: Sequence[int] | None = None,
        together: int = 1,
    ) -> None:
        tokens = math.prod(positions)
        super().__init__((channels, *positions), count, passes=tokens, context=context or None)
        if tokens < 2:
            raise ValueError(f"CausalTransformer: positions are {tuple(positions)}, wanted at least two")
        if not 1 <= together <= tokens:
            raise ValueError(f"CausalTransformer: together is {together}, wanted 1 to {tokens}")
        self.together = together
        self.register_buffer("order", _order(order, tokens))
        self.register_buffer("rank", self.order.argsort())
        self.first = nn.Parameter(torch.zeros(channels * count))
        self.embed = nn.Linear(channels, width)
        self.place = nn.Parameter(torch.randn(tokens - 1, width) / math.sqrt(width))
        self.embed_context = nn.Linear(context, width, bias=False) if context else None
        self.first_context = (
            zero_last_layer(nn.Linear(context, channels * count, bias=False)) if context else None
        )
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.project = zero_last_layer(nn.Linear(width, channels * count))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """All tokens at once."""
        return self._picture(self._raw_of_all(self._tokens(x), context))

    def solve(self, invert: Invert, y: Tensor, context: Tensor | None = None) -> Solution:
        """Token by token, or several at a time; arguments as for every such network."""
        tokens = self._tokens(y)  # (N, T, C)
        if self.together == 1 or not values_are_visible():
            x, slopes, steps = self._one_by_one(invert, tokens, context)
        else:
            x, slopes, steps = self._several(invert, tokens, context)
        passes = torch.full(y.shape[:1], steps, device=y.device)
        return Solution(self._picture(x), sum_event(slopes), passes)

    def _one_by_one(self, invert: Invert, y: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, int]:
        x, slopes = invert(y[:, :1], self._first(y, context).to(y.dtype))
        found, log_slopes = [x], [slopes]
        memory = new_memory(len(self.blocks), y.shape[1])
        for start in range(1, y.shape[1]):
            raw = self._following(found[-1], start - 1, context, memory)
            memory.keep(1)
            x, slopes = invert(y[:, start : start + 1], raw.to(y.dtype))
            found.append(x)
            log_slopes.append(slopes)
        return torch.cat(found, 1), torch.cat(log_slopes, 1), y.shape[1]

    def _several(self, invert: Invert, y: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, int]:
        def window(seen: Tensor, start: int, memory: Memory) -> tuple[Tensor, Tensor]:
            raw = self._following(seen, start - 1, context, memory)
            return invert(y[:, start : start + seen.shape[1]], raw.to(y.dtype))

        def everything(x: Tensor) -> tuple[Tensor, Tensor]:
            return invert(y, self._raw_of_all(x, context).to(y.dtype))

        with torch.no_grad():
            first = invert(y[:, :1], self._first(y, context).to(y.dtype))
            x, slopes, steps = sliding_window(window, y, *first, self.together, len(self.blocks))
        if not torch.is_grad_enabled():
            return x, slopes, steps
        swept = fixed_point_sweeps(everything, x, y.shape[1], ROUNDING)  # settled: it attaches the gradient
        return swept.x, swept.extra, steps

    def _raw_of_all(self, tokens: Tensor, context: Tensor | None) -> Tensor:
        """The parameters of all tokens ``(N, T, C, count)`` from all tokens ``(N, T, C)``."""
        hidden = self._embedded(tokens[:, :-1], 0, context)
        for block in self.blocks:
            hidden = block(hidden, attend_to_earlier)
        return torch.cat([self._first(tokens, context), self._raw(hidden)], dim=1)

    def _following(self, tokens: Tensor, start: int, context: Tensor | None, memory: Memory) -> Tensor:
        """The parameters of the tokens that follow tokens ``start`` and following, ``(N, L, C, count)``."""
        hidden = self._embedded(tokens, start, context)
        for index, block in enumerate(self.blocks):
            hidden = block(hidden, memory.attend(index))
        return self._raw(hidden)

    def _embedded(self, tokens: Tensor, start: int, context: Tensor | None) -> Tensor:
        """Tokens ``start`` and following ``(N, L, C)`` as the blocks take them, ``(N, L, width)``."""
        hidden = self.embed(tokens) + self.place[start : start + tokens.shape[1]]
        if self.embed_context is None or context is None:
            return hidden
        return hidden + self.embed_context(context)[:, None]

    def _first(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The parameters of the first token, ``(N, 1, C, count)``."""
        raw = self.first.expand(x.shape[0], -1)
        if self.first_context is not None and context is not None:
            raw = raw + self.first_context(context)
        return raw.unflatten(1, (1, -1, self.count))

    def _raw(self, hidden: Tensor) -> Tensor:
        """The parameters of the tokens that follow, ``(N, L, C, count)``."""
        return self.project(self.norm(hidden)).unflatten(2, (-1, self.count))

    def _tokens(self, x: Tensor) -> Tensor:
        """Positions in their order, ``(N, T, C)``."""
        return x.flatten(2).index_select(2, self.order).mT

    def _picture(self, tokens: Tensor) -> Tensor:
        """Tokens ``(N, T, C, ...)`` in their places, ``(N, C, *positions, ...)``."""
        return tokens.index_select(1, self.rank).transpose(1, 2).unflatten(2, self.event_shape[1:])


def _order(order: Sequence[int] | None, tokens: int) -> Tensor:
    indices = torch.arange(tokens) if order is None else torch.as_tensor(list(order), dtype=torch.long)
    if sorted(indices.tolist()) != list(range(tokens)):
        raise ValueError(
            f"CausalTransformer: order is {indices.tolist()}, wanted every position 0 ... {tokens - 1} once"
        )
    return indices
