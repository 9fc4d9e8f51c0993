"""What an inverse may promise, from the strongest word to the weakest."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Guarantee(enum.Enum):
    """The promise of one inverse step; the order of definition is the order of preference."""

    EXACT = "exact"
    """Bijective: g(f(x)) = x and f(g(y)) = y, up to rounding."""
    LEFT = "left"
    """g(f(x)) = x: nothing was lost; a y outside the range is projected on it."""
    CERTIFIED = "certified"
    """Exact wherever the certificate of the call says so (unsaturated rows of full rank).

    An estimate elsewhere.
    """
    ITERATIVE = "iterative"
    """f(x) = y is solved numerically; the certificate of the call says whether it converged."""
    RIGHT = "right"
    """f(g(y)) = y: g(y) is a preimage, not the input; the rest was lost."""
    ESTIMATE = "estimate"
    """Information was lost and f(g(y)) = y holds only approximately."""
    OPAQUE = "opaque"
    """No rule; solved by damped Gauss-Newton with Jacobian products. The certificate says how well."""

    @property
    def rank(self) -> int:
        """Position in the order of preference, 0 is the strongest."""
        return list(Guarantee).index(self)

    @property
    def keeps_everything(self) -> bool:
        """Whether g(f(x)) = x is promised without looking at the certificate."""
        return self in (Guarantee.EXACT, Guarantee.LEFT)


SURJECTIVE = frozenset({Guarantee.EXACT, Guarantee.RIGHT})
"""Promises that hold for every y, so that chains of them are right inverses."""


CERTAIN = 0.95
"""Fraction of certain numbers from which a value counts as known; the rest are its least-squares answers."""


def weakest(guarantees: Iterable[Guarantee]) -> Guarantee:
    """The promise of a chain of steps.

    A step that picks one of many preimages, together with one whose range is limited, promises neither round
    trip: what was picked need not be in the range of the layer before. Together they are an estimate.
    """
    found = set(guarantees) or {Guarantee.EXACT}
    if Guarantee.RIGHT in found and not found <= SURJECTIVE:
        found.add(Guarantee.ESTIMATE)
    return max(found, key=lambda guarantee: guarantee.rank)
