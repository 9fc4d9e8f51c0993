"""Everything else: conjugate gradients for least squares."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.solvers.linear_systems.cgls import IterativeResult, cgls
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class Iterative(PseudoInverse):
    """x = A+ z by conjugate gradients; the certificate says how far they came.

    The gradient with respect to z is (A+)' g, one more solve with the adjoint system.

    Cost: one A and one A' an iteration; the number grows with the condition number.
    """

    route = "conjugate gradients for least squares"
    preference = 3
    tolerance = 1e-10
    iterations = 1000

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Always."""
        return True

    def _factorise(self, linear: LinearMap) -> Facts:
        return Facts(linear.in_size, linear.out_size, None)

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x, iterations = _Solve.apply(z, self, False)  # type: ignore[misc]
        return x, iterations

    def run(self, z: Tensor) -> IterativeResult:
        """A+ z without gradients."""
        start = z.new_zeros(z.shape[0], *self._linear.in_shape)
        return self._cgls(self._linear.apply, self._linear.adjoint, z, start)

    def run_adjoint(self, g: Tensor) -> IterativeResult:
        """(A+)' g = (A')+ g without gradients."""
        start = g.new_zeros(g.shape[0], *self._linear.out_shape)
        return self._cgls(self._linear.adjoint, self._linear.apply, g, start)

    def _cgls(self, apply: Any, adjoint: Any, z: Tensor, start: Tensor) -> IterativeResult:
        tolerance = max(self.tolerance, torch.finfo(z.dtype).eps)
        return cgls(apply, adjoint, z, start, tolerance=tolerance, iterations=self.iterations)


class _Solve(torch.autograd.Function):
    """A+ z, or (A+)' z when ``transposed``: each is the other's derivative, to any order."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, route: Iterative, transposed: bool) -> tuple[Tensor, Tensor]:
        ctx.route, ctx.transposed = route, transposed
        result = (route.run_adjoint if transposed else route.run)(z.detach())
        ctx.mark_non_differentiable(result.iterations)
        return result.x, result.iterations

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        return _Solve.apply(gradients[0], ctx.route, not ctx.transposed)[0], None, None  # type: ignore[index]
