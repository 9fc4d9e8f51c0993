"""Routes to the pseudo-inverse, one structure a file."""

from preimage.inverse.solvers.routes.circular import Circular
from preimage.inverse.solvers.routes.copies import Copies
from preimage.inverse.solvers.routes.diagonal import Diagonal
from preimage.inverse.solvers.routes.iterative import Iterative
from preimage.inverse.solvers.routes.large_dense import LargeDense
from preimage.inverse.solvers.routes.materialised import Materialised
from preimage.inverse.solvers.routes.partial_isometry import PartialIsometry
from preimage.inverse.solvers.routes.per_position import PerPosition
from preimage.inverse.solvers.routes.reordered import Reordered
from preimage.inverse.solvers.routes.selection import SelectedEntries
from preimage.inverse.solvers.routes.separable import Separable
from preimage.inverse.solvers.routes.slabs import SlabCholesky
from preimage.inverse.solvers.routes.windows import DisjointWindows, SpreadWindows

__all__ = [
    "Circular",
    "Copies",
    "Diagonal",
    "DisjointWindows",
    "Iterative",
    "LargeDense",
    "Materialised",
    "PartialIsometry",
    "PerPosition",
    "Reordered",
    "SelectedEntries",
    "Separable",
    "SlabCholesky",
    "SpreadWindows",
]
