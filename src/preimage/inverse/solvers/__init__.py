"""Solvers: pseudo-inverses chosen by structure, and saturation-aware least squares."""

from preimage.inverse.solvers import regions, routes
from preimage.inverse.solvers.cgls import IterativeResult, cgls
from preimage.inverse.solvers.facts import Facts, Solution
from preimage.inverse.solvers.pseudo_inverse import PseudoInverse, pseudo_inverse, register_route
from preimage.inverse.solvers.saturation import (
    Prior,
    RegionSolution,
    Saturation,
    SaturationInverse,
    register_region,
    saturation_inverse,
)

__all__ = [
    "Facts",
    "IterativeResult",
    "Prior",
    "PseudoInverse",
    "RegionSolution",
    "Saturation",
    "SaturationInverse",
    "Solution",
    "cgls",
    "pseudo_inverse",
    "regions",
    "register_region",
    "register_route",
    "routes",
    "saturation_inverse",
]
