"""Solvers: pseudo-inverses chosen by structure, and saturation-aware least squares."""

from preimage.inverse.solvers.linear_systems.cgls import IterativeResult, cgls
from preimage.inverse.solvers.pseudo_inverses import routes
from preimage.inverse.solvers.pseudo_inverses.facts import Facts, Solution
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import (
    PseudoInverse,
    pseudo_inverse,
    register_route,
)
from preimage.inverse.solvers.saturated import regions
from preimage.inverse.solvers.saturated.saturation import (
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
