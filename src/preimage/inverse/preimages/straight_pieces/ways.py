"""Functions of straight pieces as linear equations in the ways along their pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from preimage.inverse.preimages.straight_pieces.pieces import Pieces

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Ways:
    """Functions of straight pieces as ways along their pieces.

    The operand of a function with kinks ``t_1 < ... < t_K`` is ``z = t_1 - n + d_1 + ... + d_(K-1) + p``: n
    is the way to the left of all kinks, ``d_i`` the way from one to the next, p the way to the right of all.
    What the function returns has the same form, each way times the slope of its piece. With what is missing
    of each, ``d_i + e_i = t_(i+1) - t_i``, they follow one another where ``n d_1 = e_1 d_2 = ... = e_(K-1) p
    = 0``.

    Args:
        operand, result: z and phi(z) for each way of length 1, ``(M, ways)``.
        operand_at, result_at: z and phi(z) at the first kink, ``(M,)``.
        sums: which ways add up to a length, ``(S, ways)``.
        lengths: those lengths, ``(S,)``.
        high: the longest that each way can be, ``(ways,)``.
        pairs: of which one must be 0, ``(P, 2)``.
    """

    operand: Array
    result: Array
    operand_at: Array
    result_at: Array
    sums: Array
    lengths: Array
    high: Array
    pairs: np.ndarray


def ways_of(pieces: Pieces) -> Ways:
    """The ways n, d_1, e_1, d_2, e_2, ..., p of M functions, M columns each."""
    kinks, values, slopes = (t.cpu().numpy() for t in (pieces.kinks, pieces.values, pieces.slopes))
    runs, functions = np.diff(kinks, axis=0), kinks.shape[1]  # (K - 1, M)
    kinds = 2 * len(runs) + 2
    column = np.arange(kinds * functions).reshape(kinds, functions)
    signs, along = np.zeros((kinds, functions)), np.zeros((kinds, functions))
    signs[1::2], along[1::2] = 1.0, slopes[1:]  # d_1, d_2, ..., p
    signs[0], along[0] = -1.0, -slopes[0]  # n
    high = np.full((kinds, functions), np.inf)
    high[1:-1] = runs.repeat(2, 0)
    sums = np.zeros((runs.size, column.size))
    for both in (column[1:-1:2], column[2:-1:2]):  # d_i, e_i
        sums[np.arange(runs.size), both.ravel()] = 1.0
    return Ways(
        operand=_rows(signs),
        result=_rows(along),
        operand_at=kinks[0],
        result_at=values[0],
        sums=sums,
        lengths=runs.ravel(),
        high=high.ravel(),
        pairs=np.stack([column[::2].ravel(), column[1::2].ravel()], 1),
    )


def _rows(weights: Array) -> Array:
    """Weights ``(kinds, M)`` as a matrix ``(M, kinds * M)`` that adds up the ways of each function."""
    return np.hstack([np.diag(row) for row in weights])


def together(parts: list[Ways]) -> Ways:
    """The ways of several operations side by side."""
    begins = np.cumsum([0, *(len(p.high) for p in parts)])
    return Ways(
        _diagonal([p.operand for p in parts]),
        _diagonal([p.result for p in parts]),
        np.concatenate([p.operand_at for p in parts]),
        np.concatenate([p.result_at for p in parts]),
        _diagonal([p.sums for p in parts]),
        np.concatenate([p.lengths for p in parts]),
        np.concatenate([p.high for p in parts]),
        np.concatenate([p.pairs + begin for p, begin in zip(parts, begins[:-1], strict=True)]),
    )


def _diagonal(blocks: list[Array]) -> Array:
    found = np.zeros(tuple(sum(b.shape[axis] for b in blocks) for axis in (0, 1)))
    row = column = 0
    for block in blocks:
        found[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return found
