"""Affine map and saturation as one: unsaturated outputs are equations, saturated ones inequalities."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual
from preimage.errors import DomainError, NotInvertibleError
from preimage.inverse.linear.base import Affine, LinearMap, check_event
from preimage.inverse.linear.folding import fold, fold_affine


@dataclass(frozen=True)
class Prior:
    """Gaussian knowledge of x, used only in the directions that the outputs leave open.

    Args:
        mean: ``(C,)``, one for each channel of x (each feature, for a dense map).
        covariance: ``(C, C)`` between the channels at one position, positive definite; positions count as
            independent.
    """

    mean: Tensor
    covariance: Tensor

    def of_group(self, group: int, matrix: Tensor) -> Prior:
        """The prior of one window and group, for window matrices ``(groups, rows, unknowns)``."""
        channels = self.mean.numel() // matrix.shape[0]
        own = slice(group * channels, (group + 1) * channels)
        taps = torch.eye(matrix.shape[2] // channels).to(matrix)
        mean = self.mean[own].to(matrix).repeat_interleave(taps.shape[0])
        return Prior(mean, torch.kron(self.covariance[own, own].contiguous().to(matrix), taps))


@dataclass(frozen=True)
class Saturation:
    """y = clamp(z, low, high), and what is known of x beforehand.

    Args:
        low, high: the limits, infinite where there is none: ReLU (0, inf), ReLU6 (0, 6), none (-inf, inf).
        box: interval that holds every value of x, or None; pictures live in a known one.
        prior: Gaussian knowledge of x, or None.

    Raises:
        DomainError: when a lower limit is not below the upper one.
    """

    low: float = 0.0
    high: float = math.inf
    box: tuple[float, float] | None = None
    prior: Prior | None = None

    def __post_init__(self) -> None:
        for low, high in ((self.low, self.high), self.box or (0.0, 1.0)):
            if not low < high:
                raise DomainError(f"a saturation or box needs low < high; got ({low}, {high})")

    def equations(self, y: Tensor) -> Tensor:
        """Where y is not saturated, so that z = y is known; bool."""
        return (y > self.low) & (y < self.high)

    def excess(self, z: Tensor, y: Tensor) -> Tensor:
        """How far z breaks the inequality of a saturated output: positive if too high, negative if too low.

        z <= low is asked where y <= low, z >= high where y >= high; zero where that holds and where y is
        not saturated.
        """
        too_high = torch.where(y <= self.low, (z - self.low).clamp_min(0), 0)
        too_low = torch.where(y >= self.high, (z - self.high).clamp_max(0), 0)
        return too_high + too_low

    def image(self, z: Tensor, y: Tensor) -> Tensor:
        """What takes the place of y when A x + b is z; equal to y where z explains y."""
        return z.clamp(self.low, self.high)

    def outside(self, y: Tensor) -> Tensor:
        """How far y lies outside [low, high], per sample ``(N,)``: no x gives such a y."""
        return (y - y.clamp(self.low, self.high)).abs().flatten(1).amax(1)


@dataclass(frozen=True)
class RegionSolution:
    """An inverse with its evidence per sample and per position.

    Args:
        x: the answer ``(N, *in_shape)``.
        certificate: one row per sample; ``converged`` means clamp(A x + b) = y within the tolerance.
        exact: where x is certified to be *the* input: the equations determine it, no inequality is broken and
            the error bound is small; bool ``(N, *positions)`` with the positions of y.
        nullity: number of directions that the equations leave open there, -1 where not counted.
    """

    x: Tensor
    certificate: Certificate
    exact: Tensor
    nullity: Tensor


@dataclass(frozen=True)
class Determination:
    """What a route found before the answer was checked.

    Args:
        x: ``(N, *in_shape)``.
        exact, nullity: ``(N, *positions)``.
        iterations: ``(N,)``.
        error: bound on the relative error per sample, NaN where unknown, ``(N,)``.
    """

    x: Tensor
    exact: Tensor
    nullity: Tensor
    iterations: Tensor
    error: Tensor


class SaturationInverse(ABC):
    """x from y = clamp(A x + b, low, high).

    Factorised when first used and again when a tensor of the map was replaced, moved or written to.

    Args:
        affine: z = A x + b.
        saturation: limits, box and prior.
    """

    route: ClassVar[str] = ""
    preference: ClassVar[int] = 0
    exact_error: float = 1e-5
    """Bound on the relative error up to which a position is called exact."""

    def __init__(self, affine: Affine, saturation: Saturation) -> None:
        self.affine, self.saturation = affine, saturation
        self._key: tuple[Hashable, ...] | None = None

    @classmethod
    @abstractmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether this route is right for the folded map."""

    @abstractmethod
    def _prepare(self, linear: LinearMap, offset: Tensor) -> None: ...

    @abstractmethod
    def _determine(self, y: Tensor, start: Tensor | None) -> Determination: ...

    def outnumbers(self, known: Tensor, margin: int = 2) -> Tensor:
        """Where the known outputs outnumber the unknowns, so that a wrong one would contradict the others.

        Args:
            known: bool ``(N, *out_shape)``.
            margin: by how many at least.

        Returns:
            ``(N,)``, or ``(N, *positions)`` where positions are solved one by one.
        """
        return known.flatten(1).sum(1) >= self.affine.in_size + margin

    def refresh(self) -> None:
        """Read the parameters again, whether or not they changed."""
        with torch.no_grad():
            self._prepare(*fold_affine(self.affine))
        self._key = self.affine.versions()

    def __call__(
        self, y: Tensor, start: Tensor | None = None, tolerance: float | None = None
    ) -> RegionSolution:
        """The preimage of y with its certificate.

        Args:
            y: outputs of the saturation, ``(N, *out_shape)``.
            start: first guess ``(N, *in_shape)``; routes that solve directly ignore it.
            tolerance: relative residual that counts as converged; when left out 1e-4 for float32, 1e-9 for
                float64.
        """
        check_event(y, self.affine.out_shape, f"the inverse of {self.affine}")
        if self._key is None or self._key != self.affine.versions():
            self.refresh()
        with torch.no_grad():
            found = self._determine(y, start)
            again = self.saturation.image(self.affine.apply(found.x.double()), y.double())
            residual = relative_residual(again, y.double()).to(y.dtype)
        limit = tolerance if tolerance is not None else (1e-9 if y.dtype == torch.float64 else 1e-4)
        return RegionSolution(
            found.x, self._certificate(found, y, residual, limit), found.exact, found.nullity
        )

    def _certificate(self, found: Determination, y: Tensor, residual: Tensor, limit: float) -> Certificate:
        nullity = found.nullity[:, None].flatten(1)
        unknown, lost = (nullity < 0).any(1), nullity.clamp_min(0).sum(1)
        share = found.exact.double().mean().item() if found.exact.numel() else 1.0
        return Certificate(
            residual=residual,
            converged=residual <= limit,
            error_bound=found.error.to(y.dtype),
            iterations=found.iterations,
            nullity=torch.where(unknown, -1, lost),
            domain_violation=self.saturation.outside(y),
            message=f"{100 * share:.1f} % of the positions are certified exact",
        )

    def __str__(self) -> str:
        return f"{self.route}: clamp({self.affine}, {self.saturation.low:g}, {self.saturation.high:g})"


Route = TypeVar("Route", bound=type[SaturationInverse])

_ROUTES: list[type[SaturationInverse]] = []


def register_region(route: Route) -> Route:
    """Class decorator: of the routes that accept a map, the one of lowest ``preference`` is taken."""
    _ROUTES.append(route)
    return route


def saturation_inverse(affine: Affine, saturation: Saturation | None = None) -> SaturationInverse:
    """The inverse of y = clamp(A x + b, low, high), by the route that the structure of A allows.

    Where 0 < y < 6, say, z = y is known exactly; where y is 0 or 6 only z <= 0 or z >= 6. Treating the clamp
    as the identity instead puts wrong equations in and ruins the answer; leaving saturated outputs out keeps
    every remaining equation true. Whether the remaining ones determine x is decided position by position.

    Reference: Puthawala et al. (2022), Globally injective ReLU networks, https://arxiv.org/abs/2006.08464.

    Args:
        affine: z = A x + b: convolutions, dense layers, batch normalisation, or their composition.
        saturation: limits, box and prior; ReLU when left out.

    Returns:
        A callable ``inverse(y) -> RegionSolution``.

    Raises:
        NotInvertibleError: when no route accepts the map.

    Example:
        >>> from preimage.inverse.linear import Dense
        >>> matrix = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
        >>> inverse = saturation_inverse(Dense(matrix))
        >>> x = torch.tensor([[2.0, 3.0], [-2.0, -3.0]])
        >>> found = inverse((x @ matrix.T).relu())
        >>> found.exact  # the second sample keeps one number of two
        tensor([ True, False])
        >>> found.nullity
        tensor([0, 1])
        >>> found.x[0]
        tensor([2., 3.])
    """
    folded = fold(affine.linear)
    accepting = [route for route in _ROUTES if route.accepts(folded)]
    if not accepting:
        raise NotInvertibleError(f"no route inverts a saturation after {folded}; see register_region")
    return min(accepting, key=lambda route: route.preference)(affine, saturation or Saturation())
