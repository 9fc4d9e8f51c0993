"""The loop that overlapping regions share: solve the equations, add the inequalities that broke, probe the rest."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.solvers.cgls import IterativeResult, spread
from preimage.inverse.solvers.saturation import Determination, SaturationInverse


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
    random noise of the size of the rounding error of y, from a random start. It ends where the error of x ends:
    close to zero where the equations determine x, at the size of the noise amplified by their conditioning,
    and at the size of its start in directions that no equation sees. This is a randomised rank test with one
    sample: it can be fooled only by a direction that is nearly orthogonal to the random start.
    """

    exact_error = 1e-5
    rounds = 4
    iterations = 200
    safety = 4.0

    @abstractmethod
    def _least_squares(
        self, rows: Rows, targets: Tensor, start: Tensor
    ) -> tuple[IterativeResult, Tensor]:
        """Solve for x and probe at once, ``targets`` ``(2, *out)`` and ``start`` ``(2, *in)``.

        Also returns the misfit that remains, in the norm that was minimised, ``(2,)``.
        """

    @abstractmethod
    def _local_norm(self, x: Tensor) -> Tensor:
        """Norm of x in the neighbourhood that a position of y sees, ``(N, *positions)``."""

    def _prepare(self, linear: LinearMap, offset: Tensor) -> None:
        self._linear, self._offset = linear, offset
        shape = (8, *linear.in_shape)
        rows = (
            linear.apply(self._random(shape, offset)).square().mean(0)
        )  # squared norms of the rows, estimated
        self._row_norm = _over_positions(rows).sqrt()

    def _determine(self, y: Tensor, start: Tensor | None) -> Determination:
        parts = [
            self._sample(s, None if start is None else start[i : i + 1]) for i, s in enumerate(y.split(1))
        ]
        if not parts:
            return self._nothing(y)
        columns = (torch.cat(values) for values in zip(*(vars(p).values() for p in parts), strict=True))
        return Determination(*columns)

    def _nothing(self, y: Tensor) -> Determination:
        empty = y.new_zeros(0, *self._linear.in_shape)
        flags = self._local_norm(empty)
        count = torch.zeros(0, dtype=torch.long, device=y.device)
        return Determination(empty, flags.bool(), flags.long(), count, y.new_zeros(0))

    def _sample(self, y: Tensor, start: Tensor | None) -> Determination:
        guess = self._guess(y) if start is None else start.to(y)
        rows = self._first_rows(y, guess)
        size = self._size(y, guess)
        noise = self._noise(y, size)
        probe = torch.cat([guess, self._random(guess.shape, guess) * size])
        used = torch.zeros(1, dtype=torch.long, device=y.device)
        for _ in range(self.rounds):
            targets = torch.cat([rows.target, self._random(rows.target.shape, noise) * noise]).to(y.dtype)
            result, misfit = self._least_squares(rows, targets, probe)
            probe, used = result.x, used + result.iterations[:1]
            fresh = self._with_broken(rows, probe[:1], y, noise)
            if fresh is None:
                break
            rows = fresh
        seen = (misfit[0] / misfit[1].clamp_min(1e-300)).clamp_min(0.25)
        return self._judge(probe[:1], probe[1:], y, noise * seen, seen, used)

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

    def _with_broken(self, rows: Rows, x: Tensor, y: Tensor, noise: Tensor) -> Rows | None:
        """The rows with every inequality that x breaks added as an equation; None when all hold."""
        z = self._linear.apply(x.double()) + self._offset
        excess = self.saturation.excess(z, y)
        wrong = (excess.abs() > 1e3 * noise) & ~rows.mask
        low, high = self.saturation.box or (-math.inf, math.inf)
        inside = x.clamp(low, high)
        outside = ((x - inside).abs() > 1e-3 * x.abs().mean()) & ~rows.pinned
        if not (wrong.any() or outside.any()):
            return None
        return Rows(
            rows.mask | wrong,
            torch.where(wrong, z - excess - self._offset, rows.target),
            rows.pinned | outside,
            torch.where(outside, inside, rows.bound),
        )

    def _judge(
        self, x: Tensor, probe: Tensor, y: Tensor, noise: Tensor, seen: Tensor, used: Tensor
    ) -> Determination:
        """The evidence, with ``seen`` the ratio of the noise found in y to the expected one."""
        z = self._linear.apply(x.double()) + self._offset
        error = self.safety * seen * self._local_norm(probe.double())
        relative = error / self._local_norm(x.double())
        broken = (self.saturation.excess(z, y).abs() > 1e2 * noise).flatten(1).any(1)
        relative = torch.where(spread(broken, relative).bool() | relative.isnan(), math.inf, relative)
        lost = self._local_norm(probe.double()) > 1e-2 * self._local_norm(
            torch.ones_like(probe)
        ) * self._size(y, x)
        return Determination(
            x=x,
            exact=relative <= self.exact_error,
            nullity=torch.where(lost, -1, 0),
            iterations=used,
            error=relative.flatten(1).amax(1).to(y),
        )


def _over_positions(values: Tensor) -> Tensor:
    """Mean over all but the channel axis, broadcastable to the event."""
    if values.dim() < 2:
        return values
    return values.mean(tuple(range(1, values.dim())), keepdim=True)
