"""Solvers: pseudo-inverses chosen by structure, and saturation-aware least squares."""

from preimage.inverse.solvers import routes
from preimage.inverse.solvers.cgls import IterativeResult, cgls
from preimage.inverse.solvers.facts import Facts, Solution
from preimage.inverse.solvers.pseudo_inverse import PseudoInverse, pseudo_inverse, register_route

__all__ = [
    "Facts",
    "IterativeResult",
    "PseudoInverse",
    "Solution",
    "cgls",
    "pseudo_inverse",
    "register_route",
    "routes",
]
