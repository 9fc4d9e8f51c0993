"""The Moore-Penrose inverse of a linear map, by the cheapest route that its structure allows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.errors import NotInvertibleError
from preimage.inverse.linear.base import Affine, LinearMap, check_event
from preimage.inverse.linear.folding import fold, fold_affine
from preimage.inverse.solvers.pseudo_inverses.facts import Facts, Solution


class PseudoInverse(ABC):
    """x = A+ (z - b) for z = A x + b: the least-squares solution of smallest norm.

    Factorised when first used and again whenever a tensor of the map was replaced, moved or written to, so
    an answer never comes from stale parameters. Differentiable in z, not in the parameters.

    Args:
        affine: the map, linear or with an offset.
    """

    route: ClassVar[str] = ""
    preference: ClassVar[int] = 0

    def __init__(self, affine: Affine) -> None:
        self.affine = affine
        self._key: tuple[Hashable, ...] | None = None
        self._linear: LinearMap = affine.linear
        self._offset: Tensor | None = None
        self._facts: Facts | None = None

    @classmethod
    @abstractmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether this route is right for the folded map."""

    @abstractmethod
    def _factorise(self, linear: LinearMap) -> Facts: ...

    @abstractmethod
    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """A+ z and the iterations used, int ``(N,)``."""

    def refresh(self) -> None:
        """Factorise the present parameters, whether or not they changed."""
        with torch.no_grad():
            self._linear, self._offset = fold_affine(self.affine)
            self._facts = self._factorise(self._linear)
        self._key = self.affine.versions()

    def _update(self) -> None:
        if self._key is None or self._key != self.affine.versions():
            self.refresh()

    @property
    def facts(self) -> Facts:
        """Rank, condition number and guarantee for the present parameters."""
        self._update()
        if self._facts is None:
            raise NotInvertibleError(f"{self.affine} was never factorised; call refresh()")
        return self._facts

    def _checked(self, y: Tensor) -> Tensor:
        check_event(y, self.affine.out_shape, f"the pseudo-inverse of {self.affine}")
        self._update()
        return y if self._offset is None else y - self._offset.to(y)

    def solve(self, y: Tensor) -> Tensor:
        """The answer alone, ``(N, *out_shape)`` to ``(N, *in_shape)``."""
        return self._solve(self._checked(y))[0]

    def solve_linear(self, z: Tensor) -> Tensor:
        """A+ z without an offset, linear and differentiable in z."""
        check_event(z, self.affine.out_shape, f"the pseudo-inverse of {self.affine}")
        self._update()
        return self._solve(z)[0]

    def __call__(self, y: Tensor, tolerance: float | None = None) -> Solution:
        """The answer with its certificate, for one more application of the map.

        Args:
            y: values of the map, ``(N, *out_shape)``.
            tolerance: relative residual |A x + b - y| / |y| that counts as converged; when left out
                1e-4 for float32 and 1e-9 for float64.
        """
        x, iterations = self._solve(self._checked(y))
        residual = relative_residual(self.affine.apply(x).detach(), y.detach())
        limit = tolerance if tolerance is not None else _default_tolerance(y.dtype)
        return Solution(x, self._certificate(residual, limit, iterations))

    def _certificate(self, residual: Tensor, limit: float, iterations: Tensor) -> Certificate:
        facts = self.facts
        solved = residual <= limit
        return Certificate(
            residual=residual,
            converged=solved,
            iterations=iterations,
            condition=torch.full_like(residual, facts.condition),
            nullity=torch.full_like(iterations, -1 if facts.nullity is None else facts.nullity),
            domain_violation=torch.where(solved, 0, residual),
            message=""
            if solved.all()
            else "y lies outside the range of the map, or the solver stopped early",
        )

    def __str__(self) -> str:
        return f"{self.route}: {self.facts}"


Route = TypeVar("Route", bound=type[PseudoInverse])

_ROUTES: list[type[PseudoInverse]] = []


def register_route(route: Route) -> Route:
    """Class decorator: of the routes that accept a map, the one of lowest ``preference`` is taken."""
    _ROUTES.append(route)
    return route


def pseudo_inverse(affine: Affine) -> PseudoInverse:
    """The Moore-Penrose inverse of an affine map's linear part, by the cheapest exact route.

    Every route returns the same A+; they differ in cost and in what they certify. Reference: Penrose (1955),
    https://doi.org/10.1017/S0305004100030401.

    Args:
        affine: a linear map, or an affine one whose offset is subtracted first.

    Returns:
        A solver with ``route``, ``facts``, ``solve(y)``, ``refresh()``; calling it adds a certificate.

    Raises:
        NotInvertibleError: when no route accepts the map.

    Example:
        >>> import torch
        >>> from preimage.inverse.linear import Dense
        >>> inverse = pseudo_inverse(Dense(torch.tensor([[3.0, 4.0]])))
        >>> print(inverse)
        one singular value decomposition per position: 2 -> 1, rank 1, condition 1 (certified): right
        >>> inverse.solve(torch.tensor([[25.0]]))
        tensor([[3., 4.]])
    """
    folded = fold(affine.linear)
    accepting = [route for route in _ROUTES if route.accepts(folded)]
    if not accepting:
        raise NotInvertibleError(f"no route accepts {folded}; register one with register_route")
    return min(accepting, key=lambda route: route.preference)(affine)


def _default_tolerance(dtype: torch.dtype) -> float:
    return 1e-9 if dtype in (torch.float64, torch.complex128) else 1e-4
