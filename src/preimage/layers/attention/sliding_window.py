"""Solving causal systems several tokens at a time, by sweeps over a window that moves on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.layers.attention.memory import Memory, new_memory

Sweep = Callable[[Tensor, int, Memory], tuple[Tensor, Tensor]]
"""Takes tokens ``start - 1`` ... ``end - 2`` as they are thought to be ``(N, L, C)``, start, and the memory
of all before them; gives tokens ``start`` ... ``end - 1`` as they follow from these, and log-slopes."""

ROUNDING = 4.0
"""A token has settled when it moves by at most so many rounding errors of its largest number."""


def sliding_window(
    sweep: Sweep, y: Tensor, first: Tensor, first_slope: Tensor, width: int, blocks: int
) -> tuple[Tensor, Tensor, int]:
    r"""Solve :math:`x_t = F_t(y_t;\, x_0, \dots, x_{t-1})` for all tokens, a window of them at once.

    Every sweep recomputes all tokens of the window from what is thought of those before them. The first one
    of the window is right then, and so is every further one as long as those before it no longer move: the
    window begins anew behind them. What is returned satisfies the equations up to rounding, for a token is
    left alone only when the tokens from which it was computed stay where they are.

    Reference: Song, Meng, Liao, Ermon (2021), Accelerating feedforward computation via parallel nonlinear
    equation solving, https://arxiv.org/abs/2002.03629; in TarFlow, block by block: Liu, Qin (2025),
    https://arxiv.org/abs/2505.12849

    Args:
        sweep: computes the tokens of the window.
        y: right-hand side, and where to begin, ``(N, T, C)``.
        first: token 0 solved, ``(N, 1, C)``.
        first_slope: its log-slopes.
        width: number of tokens of the window, at least 1.
        blocks: number of blocks of the transformer, for the memory.

    Returns:
        x and log-slopes ``(N, T, C)``, and the number of sequential steps, at most T.

    Cost: one run over ``width`` tokens for every sweep; at most T - 1 sweeps.
    """
    x, slopes = y.clone(), torch.zeros_like(y)
    x[:, :1], slopes[:, :1] = first, first_slope
    memory = new_memory(blocks, y.shape[1])
    start, steps = 1, 1
    while start < y.shape[1]:
        window = slice(start, start + width)
        guess = x[:, window]
        new, slopes[:, window] = sweep(x[:, start - 1 : start - 1 + guess.shape[1]], start, memory)
        done = settled(guess, new, y[:, window])
        x[:, window] = new
        memory.keep(done)
        start, steps = start + done, steps + 1
    return x, slopes, steps


def settled(old: Tensor, new: Tensor, y: Tensor) -> int:
    """How many tokens at the beginning of a window are right, in every row: at least one.

    Args:
        old: what was thought of them before the sweep, ``(N, L, C)``.
        new: what the sweep made of them.
        y: the right-hand side.

    Example:
        >>> old = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
        >>> settled(old, torch.tensor([[[1.0], [2.5], [3.0], [4.0]]]), old)
        2
    """
    same = (new == old) | (new.isnan() & old.isnan())
    change = torch.where(same, 0.0, (new - old).abs()).amax(2)  # (N, L)
    scale = torch.maximum(new.abs(), y.abs()).amax(2)
    small = change <= ROUNDING * torch.finfo(y.dtype).eps * scale
    rest = ((change == 0) | small).all(0)  # (L,)
    leading = int(rest.long().cumprod(0).sum())
    return min(leading + 1, old.shape[1])
