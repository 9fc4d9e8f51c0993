"""Convolutions too large for a dense matrix: a block Cholesky factor, polished by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from preimage.errors import NotInvertibleError
from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.composition import Composition
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.linear.pad import IndexPad, ReflectPad, ReplicatePad
from preimage.inverse.linear.transposed import TransposedConvolution
from preimage.inverse.solvers.linear_systems.block_tridiagonal import BlockCholesky
from preimage.inverse.solvers.linear_systems.cgls import inner, spread
from preimage.inverse.solvers.linear_systems.slabs import Slabs
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route
from preimage.inverse.solvers.pseudo_inverses.routes.iterative import Iterative

WORK = 2e9
"""Most multiplications of one factorisation, about a second of one core."""

MEMORY = 2**24
"""Most numbers in the factors (128 MiB)."""

ROUNDS = 30
"""Most preconditioned steps; two or three are the rule."""

CONDITION = 1e6
"""Condition number up to which the factors are believed: the Gram matrix squares it."""


@register_route
@final
class SlabCholesky(PseudoInverse):
    """A+ = (A'A)^-1 A' or A' (A A')^-1, whichever Gram matrix is smaller, factorised slab by slab.

    A sum over windows couples a position to its neighbours only, so the Gram matrix is block tridiagonal once
    one spatial axis is cut into slabs. Its factor is used as a preconditioner of conjugate gradients, which
    bring the accuracy back that the squared condition number costs. A map without full rank, or with a
    condition number above 1e6, is left to plain conjugate gradients.

    Cost: ``3 blocks size^3`` multiplications once, ``4 blocks size^2`` a step of each solve.
    """

    route = "block Cholesky factor of the Gram matrix"
    preference = 2

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map is local along some axis, and the factors are affordable."""
        slabs = _slabs(linear)
        return slabs is not None and slabs.work <= WORK and slabs.memory <= MEMORY

    def _factorise(self, linear: LinearMap) -> Facts:
        slabs = _slabs(linear)
        if slabs is None:
            raise TypeError(f"{linear} is not local along any axis")
        self._cut, self._tall = slabs, linear.in_size <= linear.out_size
        like = torch.zeros((), dtype=torch.float64, device=linear.tensors()[0].device)
        try:
            self._factor: BlockCholesky | None = BlockCholesky.of(*slabs.blocks_of(self._gram, like))
            condition = self._condition(like)
        except NotInvertibleError:
            self._factor, condition = None, float("nan")
        if not condition <= CONDITION:
            self._factor = None
            return Facts(linear.in_size, linear.out_size, None)
        return Facts(linear.in_size, linear.out_size, min(linear.in_size, linear.out_size), condition)

    def _gram(self, v: Tensor) -> Tensor:
        if self._tall:
            return self._linear.adjoint(self._linear.apply(v))
        return self._linear.apply(self._linear.adjoint(v))

    def _precondition(self, v: Tensor) -> Tensor:
        if self._factor is None:
            raise NotInvertibleError(f"{self._linear} has no factor")
        return self._cut.join(self._factor.solve(self._cut.cut(v)))

    def _condition(self, like: Tensor) -> float:
        """Square root of the ratio of the extreme eigenvalues, by power iteration."""
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(1, *self._cut.shape, dtype=torch.float64, generator=generator).to(like.device)
        largest, smallest = (_power(f, start) for f in (self._gram, self._precondition))
        return (largest * smallest) ** 0.5

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        if self._factor is None:
            fallback = Iterative(self._linear)
            return fallback._solve(fallback._checked(z))
        wide = z.double()
        if self._tall:
            solved, used = self._solve_gram(self._linear.adjoint(wide))
        else:
            solved, used = self._solve_gram(wide)
            solved = self._linear.adjoint(solved)
        return solved.to(z), used

    def _solve_gram(self, right: Tensor) -> tuple[Tensor, Tensor]:
        """G^-1 right by preconditioned conjugate gradients, with the steps used, int ``(N,)``."""
        return _GramSolve.apply(right, self)  # type: ignore[return-value]

    def run(self, right: Tensor) -> tuple[Tensor, Tensor]:
        """The same without gradients."""
        x = self._precondition(right)
        used = torch.zeros(right.shape[0], dtype=torch.long, device=right.device)
        residual = right - self._gram(x)
        best, limit = inner(residual, residual), 1e-30 * inner(right, right)
        scaled = self._precondition(residual)
        direction, gamma = scaled, inner(residual, scaled)
        for _ in range(ROUNDS):
            if not bool((best > limit).any()):
                break
            image = self._gram(direction)
            step = gamma / inner(direction, image).clamp_min(1e-300)
            trial = x + spread(step, x) * direction
            residual = right - self._gram(trial)
            size = inner(residual, residual)
            better = size < 0.25 * best  # anything slower is rounding
            x = torch.where(spread(better, x).bool(), trial, x)
            used, best = used + better, torch.where(better, size, 0.0)
            scaled = self._precondition(residual)
            fresh = inner(residual, scaled)
            direction = scaled + spread(fresh / gamma.clamp_min(1e-300), x) * direction
            gamma = fresh
        return x, used


class _GramSolve(torch.autograd.Function):
    """G^-1 is symmetric: it is its own derivative's transpose."""

    @staticmethod
    def forward(ctx: Any, right: Tensor, route: SlabCholesky) -> tuple[Tensor, Tensor]:
        ctx.route = route
        x, used = route.run(right.detach())
        ctx.mark_non_differentiable(used)
        return x, used

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        return _GramSolve.apply(gradients[0], ctx.route)[0], None  # type: ignore[index]


def _power(operator: Callable[[Tensor], Tensor], start: Tensor, steps: int = 20) -> float:
    v, size = start / start.norm(), 0.0
    for _ in range(steps):
        v = operator(v)
        size = v.norm().item()
        v = v / max(size, 1e-300)
    return size


def _slabs(linear: LinearMap) -> Slabs | None:
    """The cheapest cut of the smaller Gram matrix, None where the map is not a local sum over windows."""
    pad, core = None, linear
    if isinstance(linear, Composition) and len(linear.parts) == 2:
        pad, core = linear.parts
    if pad is not None and not isinstance(pad, ReflectPad | ReplicatePad):
        return None
    convolution = core.convolution if isinstance(core, TransposedConvolution) else core
    if not isinstance(convolution, Convolution):
        return None
    inputs = (linear.in_size <= linear.out_size) == (core is convolution)
    shape = linear.in_shape if linear.in_size <= linear.out_size else linear.out_shape
    reaches = [_reach(convolution, pad, axis, inputs=inputs) for axis in range(convolution.dimensions)]
    cuts = [Slabs(shape, convolution.groups, axis, reach) for axis, reach in enumerate(reaches)]
    return min(cuts, key=lambda cut: cut.work)


def _reach(convolution: Convolution, pad: LinearMap | None, axis: int, *, inputs: bool) -> int:
    """How far two positions that share a window (inputs), or a position (outputs), may lie apart."""
    apart = convolution.span[axis] - 1
    if inputs:
        return max(1, apart)
    mirrored = 2 * max(pad.padding[axis], default=0) if isinstance(pad, IndexPad) else 0
    return max(1, (apart + mirrored) // convolution.stride[axis])
