"""Linear equations in numbers of which some pairs must not both be above 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from preimage.errors import MissingExtraError

Array = NDArray[np.float64]

ROUNDS = 30
"""Linear programs of one descent, at most."""

STARTS = 4
"""Descents from the whole problem before it is divided; one where it may not be."""

CLOSED = 1e-6
"""How large the smaller number of a pair may be, relative to the largest of all, before it is taken for 0."""


@final
@dataclass(frozen=True)
class Verdict:
    """What was found out.

    Args:
        point: a solution, ``(V,)``; None where there is none or none was found.
        refuted: whether there is none.
        programs: linear programs that were solved.
    """

    point: Array | None
    refuted: bool
    programs: int


@final
@dataclass(frozen=True)
class PairedProgram:
    """Find v with ``A v = r``, ``low <= v <= high`` and, for each pair (a, b), ``v_a = 0`` or ``v_b = 0``.

    Args:
        matrix: A, ``(R, V)``.
        right: r, ``(R,)``.
        low, high: bounds, ``(V,)``; low is 0 for whatever is in a pair.
        pairs: numbers of v, ``(P, 2)``.
    """

    matrix: Array
    right: Array
    low: Array
    high: Array
    pairs: NDArray[np.int64]

    def solve(self, nodes: int) -> Verdict:
        """Find a solution, or prove that there is none.

        The products of the pairs are at least 0, and 0 at a solution. Their sum is lowered by a linear
        program after the other, each of which takes it as linear (Frank and Wolfe). Where that ends above 0,
        the problem is divided in two: one number of a pair is 0, or the other one. A part in which not even
        the linear conditions can be met holds no solution; when no part is left, there is none at all.

        Reference: M. Frank and P. Wolfe, An algorithm for quadratic programming, 1956,
        https://doi.org/10.1002/nav.3800030109; O. L. Mangasarian, The linear complementarity problem as a
        separable bilinear program, 1995, https://doi.org/10.1007/BF01096765.

        Args:
            nodes: how often a part is divided, at most.

        Returns:
            The verdict; neither a point nor refuted when the parts did not suffice. Refuted means: to the
            accuracy of linear programs in float64, 1e-7.

        Raises:
            MissingExtraError: without scipy, whose HiGHS solves the linear programs.

        Cost: a linear program for each round of a descent, thirty at most; up to six for each division.

        Example:
            >>> equations, anything = np.array([[1.0, -1.0]]), np.full(2, np.inf)  # a - b = 2
            >>> program = PairedProgram(
            ...     equations, np.array([2.0]), np.zeros(2), anything, np.array([[0, 1]])
            ... )
            >>> program.solve(nodes=10).point.tolist()
            [2.0, 0.0]
        """
        search = _Search(self)
        waiting = self._begun(search, STARTS if nodes else 1)
        for _ in range(nodes):
            if not waiting or search.solution is not None:
                break
            high, point = waiting.pop()
            for part in self._halves(high, point):
                found = search.descend(part, self.slope(point), 2)
                waiting += [] if found is None else [(part, found)]
        refuted = search.solution is None and not waiting and not search.failed
        return Verdict(search.solution, refuted, search.programs)

    def _begun(self, search: _Search, starts: int) -> list[tuple[Array, Array]]:
        """Descents from several costs; the whole problem with the last end, nothing where it is empty."""
        generator, point = np.random.default_rng(0), None
        for start in range(starts):
            cost = np.zeros(len(self.low))
            cost[self.pairs] = generator.random(self.pairs.shape) if start else 1.0
            point = search.descend(self.high, cost, ROUNDS)
            if point is None or search.solution is not None:
                break
        return [] if point is None else [(self.high, point)]

    def gap(self, point: Array) -> float:
        """The sum of the products of the pairs."""
        return float((point[self.pairs[:, 0]] * point[self.pairs[:, 1]]).sum())

    def slope(self, point: Array) -> Array:
        """The slope of that sum."""
        found = np.zeros_like(point)
        np.add.at(found, self.pairs[:, 0], point[self.pairs[:, 1]])
        np.add.at(found, self.pairs[:, 1], point[self.pairs[:, 0]])
        return found

    def _halves(self, high: Array, point: Array) -> list[Array]:
        """Two parts: the pair that is furthest from solved decided either way, the likelier one last."""
        both = point[self.pairs].min(1)
        pair = self.pairs[both.argmax()]
        ordered = pair[np.argsort(point[pair])[::-1]]
        return [_zeroed(high, index) for index in ordered]


@final
class _Search:
    """The linear programs of one problem: how many, and what they found."""

    def __init__(self, problem: PairedProgram) -> None:
        self.problem, self.programs = problem, 0
        self.solution: Array | None = None
        self.failed = False

    def descend(self, high: Array, cost: Array, rounds: int) -> Array | None:
        """Lower the products with some numbers held at 0; None where the linear conditions cannot be met."""
        problem = self.problem
        point = self._program(replace(problem, high=high), cost)
        for _ in range(rounds):
            if point is None or self._is_solved(point):
                break
            slope = problem.slope(point)
            vertex = self._program(replace(problem, high=high), slope)
            if vertex is None or slope @ (point - vertex) <= 1e-9 * (1 + abs(slope @ point)):
                break
            point = _lowest(problem, point, vertex - point)
        return point

    def _is_solved(self, point: Array) -> bool:
        """Whether all pairs are nearly solved, and exactly so near by; keeps that solution."""
        pairs = point[self.problem.pairs]
        if pairs.min(1).max(initial=0.0) > CLOSED * max(1.0, float(pairs.max(initial=0.0))):
            return False
        self.solution = self._roomy(point)
        return self.solution is not None

    def _roomy(self, point: Array) -> Array | None:
        """The solution in whose pairs the numbers above 0 are as far from it as possible.

        There the network is straight on all sides, so that Newton's method reaches full precision.
        """
        problem = self.problem
        smaller = problem.pairs[np.arange(len(problem.pairs)), point[problem.pairs].argmin(1)]
        high = problem.high.copy()
        high[smaller] = 0.0
        lifted = np.setdiff1d(problem.pairs, smaller)
        lifted = lifted[high[lifted] > 0]
        shift = np.zeros(len(high))
        shift[lifted] = 1.0  # v = w + shift * s with w >= 0
        matrix = np.hstack([problem.matrix, problem.matrix @ shift[:, None]])
        bounded = lifted[np.isfinite(high[lifted])]
        below = np.hstack([np.eye(len(high))[bounded], np.ones((len(bounded), 1))])  # w + s <= high
        whole = replace(problem, matrix=matrix, low=np.append(problem.low, 0.0), high=np.append(high, 1.0))
        found = self._program(whole, -np.eye(len(high) + 1)[-1], (below, high[bounded]))
        return None if found is None else found[:-1] + shift * found[-1]

    def _program(
        self,
        problem: PairedProgram,
        cost: Array,
        below: tuple[Array, Array] = (np.zeros((0, 0)), np.zeros(0)),
    ) -> Array | None:
        """The best point of the linear conditions alone; None where they cannot be met."""
        self.programs += 1
        bounds = np.stack([problem.low, problem.high], 1)
        matrix, right = below if len(below[1]) else (None, None)
        found = _linprog()(
            cost,
            A_ub=matrix,
            b_ub=right,
            A_eq=problem.matrix,
            b_eq=problem.right,
            bounds=bounds,
            method="highs",
        )
        self.failed |= found.status not in (0, 2)
        return None if found.x is None or found.status != 0 else np.clip(found.x, problem.low, problem.high)


def _lowest(problem: PairedProgram, point: Array, change: Array) -> Array:
    """The point on the way along a change at which the sum of the products, a parabola, is least."""
    first, second = float(problem.slope(point) @ change), problem.gap(change)
    part = 1.0 if second <= 0 else min(1.0, -first / (2 * second))
    return point + part * change


def _zeroed(high: Array, index: np.int64) -> Array:
    found = high.copy()
    found[index] = 0.0
    return found


def _linprog() -> Callable[..., Any]:
    try:
        from scipy.optimize import linprog
    except ImportError as error:
        raise MissingExtraError("linear programs need scipy; pip install 'preimage[proofs]'") from error
    return linprog
