"""How hard an iterative solver tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from preimage.errors import DomainError
from preimage.inverse.solvers.nonlinear.watch import Watch


@final
@dataclass(frozen=True)
class Effort:
    """The limits of a nonlinear solver.

    Args:
        tolerance: relative residual ``|f(x) - y| / |y|`` at which a sample is solved.
        max_products: Jacobian products (of either kind) spent at most on any sample.
        inner: conjugate gradient iterations of one Gauss-Newton step at most; each costs two products.
        damping: first damping of Gauss-Newton, relative to the squared size of the Jacobian.
        watch: sees every step and may end the solve early; None where nobody watches.

    Raises:
        DomainError: for a negative tolerance or number of products.
    """

    tolerance: float = 1e-6
    max_products: int = 200
    inner: int = 20
    damping: float = 1e-3
    watch: Watch | None = None

    def __post_init__(self) -> None:
        if not self.tolerance >= 0.0:
            raise DomainError(
                f"got a tolerance of {self.tolerance}; a relative residual >= 0 was wanted, as 1e-5"
            )
        if self.max_products < 0:
            raise DomainError(f"got max_products={self.max_products}; a number >= 0 was wanted")
