"""Routes to the pseudo-inverse, one structure a file."""

from preimage.inverse.solvers.pseudo_inverses.routes.circular import Circular
from preimage.inverse.solvers.pseudo_inverses.routes.copies import Copies
from preimage.inverse.solvers.pseudo_inverses.routes.diagonal import Diagonal
from preimage.inverse.solvers.pseudo_inverses.routes.iterative import Iterative
from preimage.inverse.solvers.pseudo_inverses.routes.large_dense import LargeDense
from preimage.inverse.solvers.pseudo_inverses.routes.materialised import Materialised
from preimage.inverse.solvers.pseudo_inverses.routes.partial_isometry import PartialIsometry
from preimage.inverse.solvers.pseudo_inverses.routes.per_position import PerPosition
from preimage.inverse.solvers.pseudo_inverses.routes.reordered import Reordered
from preimage.inverse.solvers.pseudo_inverses.routes.selection import SelectedEntries
from preimage.inverse.solvers.pseudo_inverses.routes.separable import Separable
from preimage.inverse.solvers.pseudo_inverses.routes.slabs import SlabCholesky
from preimage.inverse.solvers.pseudo_inverses.routes.windows import DisjointWindows, SpreadWindows

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
