"""The loop that overlapping regions share: solve the equations, add the inequalities that broke, probe."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.solvers.linear_systems.cgls import IterativeResult
from preimage.inverse.solvers.saturated.saturation import Determination, SaturationInverse


@dataclass(frozen=True)
class Rows:
    """The equations of one round: D (A x) = D target, and x = bound where ``pinned``.

    Args:
        mask: which outputs count, bool ``(N, *out_shape)``.
        target: their values of A x in float64, ``(N, *out_shape)``.
        pinned: values of x that are held at the border of the box, bool ``(N, *in_shape)``.
        bound: where they are held, ``(N, *in_shape)``.
    """

    mask: Tensor
    target: Tensor
    pinned: Tensor
    bound: Tensor


class ActiveSetRegion(SaturationInverse):
    """Least squares over the unsaturated rows, then again with every inequality that the answer broke.

    A second unknown, the *probe*, is solved alongside: the same equations with zero right-hand sides plus
    random noise of the size of the rounding error of y, from a random start. It ends where the error of x
    ends: close to zero where the equations determine x, at the size of the noise amplified by their
    conditioning, and at the size of its start in directions that no equation sees. This is a randomised rank
    test with one sample: only a direction nearly orthogonal to the random start can fool it.
    """

    rounds = 8
    iterations = 200
    safety = 4.0

    @abstractmethod
    def _least_squares(self, rows: Rows, targets: Tensor, start: Tensor) -> tuple[IterativeResult, Tensor]:
        """Solve for x, and the probe where there are two: ``targets`` ``(k, *out)``, ``start`` ``(k, *in)``.

        Also returns the misfit that remains, in the norm that was minimised, ``(k,)``.
        """

    @abstractmethod
    def _local_any(self, flags: Tensor) -> Tensor:
        """Whether any output of a position is flagged, ``(N, *out_shape)`` to ``(N, *positions)``."""

    @abstractmethod
    def _local_norm(self, x: Tensor) -> Tensor:
        """Norm of x in the neighbourhood that a position of y sees, ``(N, *positions)``."""

    def _prepare(self, linear: LinearMap, offset: Tensor) -> None:
        self._linear, self._offset = linear, offset
        shape = (8, *linear.in_shape)
        squares = linear.apply(self._random(shape, offset)).square().mean(0)  # an estimate of |row|^2
        self._row_norm = _over_positions(squares).sqrt()

    def _determine(self, y: Tensor, start: Tensor | None) -> Determination:
        if not y.shape[0]:
            return self._nothing(y)
        parts = [
            self._sample(s, None if start is None else start[i : i + 1]) for i, s in enumerate(y.split(1))
        ]
        columns = (torch.cat(values) for values in zip(*(vars(p).values() for p in parts), strict=True))
        return Determination(*columns)

    def _nothing(self, y: Tensor) -> Determination:
        flags = self._local_norm(y.new_zeros(1, *self._linear.in_shape))[:0]
        count = torch.zeros(0, dtype=torch.long, device=y.device)
        empty = y.new_zeros(0, *self._linear.in_shape)
        return Determination(empty, flags.bool(), flags.long(), count, y.new_zeros(0))

    def _sample(self, y: Tensor, start: Tensor | None) -> Determination:
        guess = self._guess(y) if start is None else start.to(y)
        rows = self._first_rows(y, guess)
        size = self._size(y, guess)
        noise = self._noise(y, size)
        columns = torch.cat([guess, self._random(guess.shape, guess) * size])
        targets = torch.cat([rows.target, self._random(rows.target.shape, noise) * noise]).to(y.dtype)
        result, misfit = self._least_squares(rows, targets, columns)
        x, used = self._with_inequalities(result.x[:1], y, noise)
        seen = (misfit[0] / misfit[1].clamp_min(1e-300)).clamp_min(0.25)
        return self._judge(x, seen * result.x[1:], y, noise * seen, used + result.iterations[:1])

    def _with_inequalities(self, x: Tensor, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Solve again with the broken inequalities as equations, until none is broken or nothing helps."""
        used = torch.zeros(1, dtype=torch.long, device=y.device)
        best, lowest = x, self._misfit(x, y)
        for _ in range(self.rounds):
            rows = self._with_broken(x, y, noise)
            if rows is None:
                break
            result, _ = self._least_squares(rows, rows.target.to(y.dtype), x)
            x, used = result.x, used + result.iterations
            misfit = self._misfit(x, y)
            if not misfit < 0.9 * lowest:
                break
            best, lowest = x, misfit
        return best, used

    def _misfit(self, x: Tensor, y: Tensor) -> float:
        """How far the image of x is from y."""
        z = self._linear.apply(x.double()) + self._offset
        return (self.saturation.image(z, y) - y).norm().item()

    def _guess(self, y: Tensor) -> Tensor:
        guess = y.new_zeros(1, *self._linear.in_shape)
        prior = self.saturation.prior
        if prior is not None and len(self._linear.in_shape) > 1:
            return guess + prior.mean.to(guess).view(-1, *[1] * (len(self._linear.in_shape) - 1))
        return guess

    def _first_rows(self, y: Tensor, guess: Tensor) -> Rows:
        target = y.double() - self._offset
        return Rows(
            self.saturation.equations(y),
            target,
            torch.zeros_like(guess, dtype=torch.bool),
            torch.zeros_like(guess),
        )

    def _size(self, y: Tensor, guess: Tensor) -> Tensor:
        """Rough size of x, from |A' y| / |A A' y|."""
        target = y.double() - self._offset
        back = self._linear.adjoint(target * self.saturation.equations(y))
        gain = back.norm() / self._linear.apply(back).norm().clamp_min(1e-300)
        size = gain * target.square().mean().sqrt() * math.sqrt(self._linear.out_size / self._linear.in_size)
        return torch.maximum(size, guess.double().square().mean().sqrt()).clamp_min(1e-30).to(y)

    def _noise(self, y: Tensor, size: Tensor) -> Tensor:
        """Expected rounding error of each output, from the size of the terms that were summed."""
        terms = self._row_norm * size.double() + self._offset.abs()
        return torch.finfo(y.dtype).eps * terms.clamp_min(1e-300)

    @staticmethod
    def _random(shape: Sequence[int], like: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(math.prod(shape))  # private: the global state is untouched
        return torch.randn(tuple(shape), dtype=like.dtype, generator=generator).to(like.device)

    def _with_broken(self, x: Tensor, y: Tensor, noise: Tensor) -> Rows | None:
        """The equations, and every inequality that x breaks as one more; None when all hold."""
        z = self._linear.apply(x.double()) + self._offset
        excess = self.saturation.excess(z, y)
        wrong = excess.abs() > 1e2 * noise
        low, high = self.saturation.box or (-math.inf, math.inf)
        inside = x.clamp(low, high)
        outside = (x - inside).abs() > 1e-4 * x.abs().mean()
        if not (wrong.any() or outside.any()):
            return None
        target = torch.where(wrong, z - excess - self._offset, y.double() - self._offset)
        return Rows(self.saturation.equations(y) | wrong, target, outside, inside)

    def _judge(self, x: Tensor, probe: Tensor, y: Tensor, noise: Tensor, used: Tensor) -> Determination:
        z = self._linear.apply(x.double()) + self._offset
        error = self.safety * self._local_norm(probe.double())
        relative = error / self._local_norm(x.double())
        broken = self._local_any(self.saturation.excess(z, y).abs() > 1e2 * noise)
        relative = torch.where(broken | relative.isnan(), math.inf, relative)
        lost = self._local_norm(probe.double()) > 1e-4 * self._local_norm(
            torch.ones_like(probe)
        ) * self._size(y, x)
        return Determination(
            x=x,
            exact=relative <= self.exact_error,
            nullity=torch.where(lost, -1, 0),
            iterations=used,
            error=relative.reshape(1, -1).amax(1).to(y),
        )


def _over_positions(values: Tensor) -> Tensor:
    """Mean over all but the channel axis, broadcastable to the event."""
    if values.dim() < 2:
        return values
    return values.mean(tuple(range(1, values.dim())), keepdim=True)
