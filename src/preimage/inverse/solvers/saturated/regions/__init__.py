"""Routes for an affine map followed by a saturation, one structure a file."""

from preimage.inverse.solvers.saturated.regions.consensus import WindowConsensus
from preimage.inverse.solvers.saturated.regions.general import MaskedRows
from preimage.inverse.solvers.saturated.regions.per_position import PerPosition

__all__ = ["MaskedRows", "PerPosition", "WindowConsensus"]
