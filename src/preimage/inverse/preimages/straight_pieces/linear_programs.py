"""f(x) = y for networks of straight pieces: solved, or shown to have no solution, by linear programs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import final

import numpy as np
import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.preimages.search.splitting import Cut, Polish
from preimage.inverse.preimages.straight_pieces.paired_program import Array, PairedProgram, Verdict
from preimage.inverse.preimages.straight_pieces.pieces import pieces_of
from preimage.inverse.preimages.straight_pieces.ways import Ways, together, ways_of
from preimage.inverse.solvers.nonlinear.allowed import Allowed, Box
from preimage.inverse.solvers.nonlinear.samplewise import Found

BAND = 1e-6
"""How near to y counts as y, relative to its largest number: wider than the error of linear programs."""

LARGEST = 2**22
"""Most numbers in the matrix of a linear program."""

BLIND = 1e-10
"""Singular values up to this part of the largest count as 0."""

Answer = tuple[Verdict, Array]
"""What was found out, and x ``(inputs,)``: the start where there is no answer."""


@final
@dataclass(frozen=True)
class Straight:
    """A network of straight pieces as linear equations ``X x + Y (y, ways) = r``.

    Args:
        brought: X, ``(R, inputs)``.
        rest: Y, ``(R, outputs + ways)``.
        right: r, ``(R,)``.
        high: upper bounds of the ways, ``(ways,)``.
        pairs: columns of Y of which one must be 0, ``(P, 2)``.
    """

    brought: Array
    rest: Array
    right: Array
    high: Array
    pairs: np.ndarray

    def anywhere(self, y: Array, start: Array, nodes: int) -> Answer:
        """Any x with the answer y ``(outputs,)``, near the start ``(inputs,)``.

        The linear programs do without x: only what x cannot bring about is asked of the ways.
        """
        left, basis, inverse = self._seen
        low, high = self._bounds(y)
        verdict = PairedProgram(left @ self.rest, left @ self.right, low, high, self.pairs).solve(nodes)
        if verdict.point is None:
            return verdict, start
        missing = self.right - self.rest @ verdict.point - self.brought @ start
        return verdict, start + inverse @ (basis @ missing)

    def within(self, y: Array, box: tuple[Array, Array], start: Array, nodes: int) -> Answer:
        """An x between two bounds ``(inputs,)`` with the answer y."""
        low, high = (np.concatenate(ends) for ends in zip(box, self._bounds(y), strict=True))
        matrix, count = np.hstack([self.brought, self.rest]), len(start)
        verdict = PairedProgram(matrix, self.right, low, high, self.pairs + count).solve(nodes)
        return verdict, start if verdict.point is None else verdict.point[:count]

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        band = BAND * max(float(np.abs(y).max()), 1e-3)
        return np.concatenate([y - band, np.zeros_like(self.high)]), np.concatenate([y + band, self.high])

    @cached_property
    def _seen(self) -> tuple[Array, Array, Array]:
        """What no x brings about, what some x does, and which does so: rows, rows, columns."""
        left, sizes, right = np.linalg.svd(self.brought)
        rank = int((sizes > BLIND * sizes.max(initial=0.0)).sum())
        return left[:, rank:].T, left[:, :rank].T, right[:rank].T / sizes[:rank]


def straight(cut: Cut, like: Tensor, largest: int = LARGEST) -> Straight | None:
    """Write a network down as straight pieces; None where one is curved, or the matrix would be too large.

    Args:
        cut: the network cut at its elementwise functions.
        like: decides dtype and device of the network.
        largest: most numbers in the matrix.
    """
    pieces = pieces_of(cut.wiring, like)
    if pieces is None:
        return None
    rows, columns = cut.affine.matrix.shape
    inner = sum(p.kinks[1:].numel() for p in pieces)
    if (rows + inner) * (columns + rows + 2 * inner) > largest:
        return None
    return _written(cut, together([ways_of(p) for p in pieces]))


def _written(cut: Cut, ways: Ways) -> Straight:
    """The equations ``z = ...`` and ``y = ...`` of the cut network, and those of the lengths of pieces."""
    inputs, hidden = cut.wiring.inputs, cut.affine.hidden
    matrix, offset = cut.affine.matrix.cpu().numpy(), cut.affine.offset.cpu().numpy()
    given = matrix[:, inputs : inputs + hidden]
    along, at = given @ ways.result, given @ ways.result_at + offset  # (hidden + outputs, ...)
    along[:hidden] -= ways.operand
    at[:hidden] -= ways.operand_at
    outputs = -np.eye(len(matrix), len(matrix) - hidden, k=-hidden)
    inner = len(ways.lengths)
    return Straight(
        brought=np.vstack([matrix[:, :inputs], np.zeros((inner, inputs))]),
        rest=np.block([[outputs, along], [np.zeros((inner, outputs.shape[1])), ways.sums]]),
        right=np.concatenate([-at, ways.lengths]),
        high=ways.high,
        pairs=ways.pairs + outputs.shape[1],
    )


def has_linear_programs() -> bool:
    """Whether scipy is installed."""
    return find_spec("scipy") is not None


@torch.no_grad()
def by_linear_programs(
    program: Straight, y: Tensor, start: Tensor, *, polish: Polish, allowed: Allowed, nodes: int
) -> tuple[Found, Tensor]:
    """Find x with ``f(x) = y`` sample by sample, or prove that there is none.

    A network of affine layers and activations of straight pieces is a set of linear equations in the ways
    along the pieces, of which some pairs must not both be above 0; see :class:`PairedProgram` and
    :class:`Ways`.

    Args:
        program: the network.
        y: what it should return, ``(N, *out)``.
        start: where x lies as long as nothing is found, and near which it is sought, ``(N, *in)``.
        polish: brings x to full precision.
        allowed: where x may lie: anywhere, or a box.
        nodes: how often a problem is divided in two, at most.

    Returns:
        x ``(N, *in)`` and its certificate, whose ``iterations`` counts linear programs; and for which samples
        it is proved that no allowed x comes within a relative 1e-6 of y, bool ``(N,)``.

    Raises:
        MissingExtraError: without scipy.

    Cost: some tens of linear programs a sample, each of as many rows as there are activations and outputs.
    """
    answers = [_asked(program, y[n], start[n], allowed.of(torch.tensor([n])), nodes) for n in range(len(y))]
    point = torch.tensor(np.array([x for _, x in answers])).to(start).view_as(start)
    x, evidence = polish(y, allowed.project(point))
    used = torch.tensor([verdict.programs for verdict, _ in answers], device=y.device)
    refuted = torch.tensor([verdict.refuted for verdict, _ in answers], dtype=torch.bool, device=y.device)
    message = "" if evidence.ok else "no answer was found by linear programs"
    return (x, Certificate(evidence.residual, evidence.converged, iterations=used, message=message)), refuted


def _asked(program: Straight, y: Tensor, start: Tensor, allowed: Allowed, nodes: int) -> Answer:
    wanted, first = (t.flatten().double().cpu().numpy() for t in (y, start))
    if not isinstance(allowed, Box):
        return program.anywhere(wanted, first, nodes)
    low, high = (
        end.expand(1, *start.shape).flatten().double().cpu().numpy() for end in (allowed.low, allowed.high)
    )
    return program.within(wanted, (low, high), first, nodes)
