"""Changes of an input that the network does not see."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, relative_residual
from preimage.errors import ShapeError
from preimage.inverse.entry import entry
from preimage.inverse.preimages.priors.objective import Distance
from preimage.inverse.preimages.question import Question
from preimage.inverse.preimages.search.reach import Reach
from preimage.inverse.preimages.search.slide import slide
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.linearisation import Dense, Linearisation, is_written_down, linearise
from preimage.inverse.values import Values, bare

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot

WHOLE = 4096
"""Numbers of an input up to which a whole basis is computed by default."""

STEPS = 8
"""Predictor steps of a move."""

HALVINGS = 6
"""How often a step that cannot be corrected is halved."""


class Basis(NamedTuple):
    """Directions in the null space and their evidence.

    ``vectors (N, count, *input)``, orthonormal; the certificate's residual is the largest
    ``|J v| / |J|`` of a sample's vectors.
    """

    vectors: Tensor
    certificate: Certificate


class Moved(NamedTuple):
    """Where a move ended: ``x (N, *input)``, and the certificate that f is what it was."""

    x: Values
    certificate: Certificate


@final
class NullSpace:
    """The set ``{x' : f(x') = f(x)}`` around x; to first order the null space of the Jacobian J at x.

    Reference: G. Golub and C. Van Loan, Matrix Computations, 2013, section 5.5; E. Allgower and K. Georg,
    Numerical Continuation Methods, 1990, for predictor and corrector.

    Args:
        inverse: of the network.
        x: inputs, ``(N, *event)``.
        tap: label, value or module path that shall not change; the network's output when None.
        tol: relative change ``|f(x') - f(x)| / |f(x)|`` that counts as none; by default the 0.6th power of
            the rounding error: 4e-10 in float64, 7e-5 in float32.

    Cost: nothing until something is asked.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Tanh()).double()
        >>> inverse = pi.invert(net, torch.zeros(1, 4).double())
        >>> space = inverse.null_space(torch.zeros(1, 4).double())
        >>> space.dimension.tolist(), tuple(space.basis().vectors.shape)
        ([2], (1, 2, 4))
        >>> space.move(3.0).certificate.ok
        True
    """

    def __init__(
        self, inverse: OneShot, x: Values, tap: str | TapLike | None = None, *, tol: float | None = None
    ) -> None:
        names = inverse.graph.outputs if tap is None else (inverse.node(tap),)
        values = inverse.features(x, names)
        self._question = Question(inverse, bare(tuple(values[name] for name in names)), tap)
        self.x = self._question.pack(x, "x")  # (N, *in)
        eps = torch.finfo(self.x.dtype).eps
        self.effort = Effort(tolerance=eps**0.6 if tol is None else tol)
        self._reach = Reach(self._question.f, self.effort)
        self._outputs, self._inputs = prod(self._question.wanted.shape[1:]), prod(self.x.shape[1:])

    @property
    def is_counted(self) -> bool:
        """Whether ``dimension`` is a count of singular values and no lower bound."""
        return is_written_down(self._outputs, self.x)

    @property
    @entry
    @torch.no_grad()
    def dimension(self) -> Tensor:
        """Numbers of an input less the rank of J, int ``(N,)``.

        For more outputs than can be written down: less the number of outputs, which is a lower bound.
        """
        linear = linearise(self._question.f, self.x, self._outputs)
        if not isinstance(linear, Dense):
            bound = max(0, self._inputs - self._outputs)
            return torch.full((len(self.x),), bound, device=self.x.device)
        return self._inputs - linear.rank

    @entry
    @torch.no_grad()
    def basis(self, count: int | None = None, seed: int = 0) -> Basis:
        """Orthonormal directions that f does not see to first order.

        Args:
            count: how many; the whole basis for inputs of up to 4096 numbers, else 8, when None. More than
                one count, over samples of different rank, is cut to the smallest dimension.
            seed: of the random directions that are projected when not all are wanted.
        """
        least = int(self.dimension.min())
        count = min(least if self._inputs <= WHOLE else 8, least) if count is None else count
        if not 0 <= count <= least:
            raise ShapeError(f"got count={count}; between 0 and {least} directions were wanted")
        linear = linearise(self._question.f, self.x, self._outputs)
        raw = _random(count, self.x, seed)  # (N, count, inputs)
        vectors = _orthonormal(linear, _orthonormal(linear, raw, self.x), self.x)  # twice, against rounding
        return Basis(vectors.view(len(self.x), count, *self.x.shape[1:]), _evidence(linear, vectors, self.x))

    @entry
    def move(self, distance: float, along: Values | None = None, seed: int = 0) -> Moved:
        """Walk a given way along the set on which f does not change.

        Predictor: the direction less what f sees of it, renewed at every step. Corrector: Gauss-Newton steps
        of least norm back to f(x). A step that cannot be corrected is halved.

        Args:
            distance: Euclidean length of the way, in units of the input.
            along: direction, ``(N, *event)``; a random one when None.
            seed: of the random direction.

        Returns:
            x' and its certificate. Samples for which no step could be corrected stay where they are.
        """
        wish = (
            _random(1, self.x, seed).view_as(self.x) if along is None else self._question.pack(along, "along")
        )
        x, y, left = self.x, self._question.wanted, torch.full_like(self._sizes(self.x), float(distance))
        length, steps = left / STEPS, 0
        while bool((left > 1e-9 * distance).any()) and steps < STEPS * HALVINGS:
            trial, moved = self._ahead(x, wish, torch.minimum(length, left))
            x = torch.where(_over(moved, x), trial, x)
            left = torch.where(moved, left - torch.minimum(length, left), left)
            length, steps = torch.where(moved, length, length / 2), steps + 1
        return self._moved(x, y)

    def _ahead(self, x: Tensor, wish: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """One predictor and corrector, and for which samples it arrived."""
        linear = linearise(self._question.f, x, self._outputs)
        with torch.no_grad():
            tangent = _tangent(linear, wish)
            size = self._sizes(tangent)
            unit = tangent / _over(size.clamp_min(torch.finfo(x.dtype).tiny), x)
        trial, evidence = self._reach.once(self._question.wanted, x + _over(length, x) * unit)
        seen = size > 1e-6 * self._sizes(wish)  # else the whole direction is one that f sees
        return trial, evidence.converged & seen

    @entry
    def towards(self, goal: Values, steps: int = 30) -> Moved:
        """Come as near to another input as the set on which f does not change allows.

        Args:
            goal: ``(N, *event)``; one row serves all samples.
            steps: at most so many.

        Returns:
            x' and its certificate: to the network it is x, to the eye it is the goal, or as near as can be.
        """
        anchor = self._question.pack(goal, "goal")
        slid = slide(
            self._question.f, self._question.wanted, self.x, Distance(anchor), effort=self.effort, steps=steps
        )
        return Moved(self._question.unpack(slid.x), slid.certificate)

    @torch.no_grad()
    def _moved(self, x: Tensor, y: Tensor) -> Moved:
        residual = relative_residual(self._question.f(x), y)
        return Moved(self._question.unpack(x), Certificate(residual, residual <= self.effort.tolerance))

    @staticmethod
    def _sizes(x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(1).sqrt()


def _over(scalar: Tensor, like: Tensor) -> Tensor:
    return scalar.view(-1, *[1] * (like.dim() - 1))


def _random(count: int, like: Tensor, seed: int) -> Tensor:
    """Standard normal directions, the same for every sample, ``(N, count, inputs)``."""
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(count, like[0].numel(), generator=generator, dtype=torch.float64)
    return raw.to(like).expand(len(like), -1, -1)


def _tangent(linear: Linearisation, wish: Tensor) -> Tensor:
    """The wish less what f sees of it."""
    none = torch.zeros(len(wish), dtype=wish.dtype, device=wish.device)
    return wish - linear.correction(linear.push(wish), none)


def _orthonormal(linear: Linearisation, vectors: Tensor, like: Tensor) -> Tensor:
    """An orthonormal basis of the tangents of some directions ``(N, count, inputs)``."""
    if not vectors.shape[1]:
        return vectors
    tangents = [_tangent(linear, v.reshape(like.shape)).flatten(1) for v in vectors.unbind(1)]
    return torch.linalg.qr(torch.stack(tangents, 2))[0].mT


def _evidence(linear: Linearisation, vectors: Tensor, like: Tensor) -> Certificate:
    """How much of a unit step along each vector f sees, relative to the most it sees of any."""
    seen = [linear.push(v.reshape(like.shape)).flatten(1).norm(dim=1) for v in vectors.unbind(1)]
    largest = linear.norm.clamp_min(torch.finfo(like.dtype).tiny)
    none = largest.new_zeros(len(like))
    residual = (torch.stack(seen).amax(0) if seen else none) / largest
    return Certificate(residual, residual <= torch.finfo(like.dtype).eps ** 0.75)
