"""How a layer without a closed inverse solves f(x) = y."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor

from preimage.errors import NotSupportedError
from preimage.functional.matrices.jacobian import RowMap
from preimage.functional.roots import Root, anderson, newton_system, refine


class RootSolver(abc.ABC):
    """A way to solve f(x) = y for every row, with derivatives of x by y and by whatever f depends on.

    Example:
        >>> isinstance(NewtonSolver(), RootSolver)
        True
    """

    @abc.abstractmethod
    def search(self, function: RowMap, y: Tensor, rate: float | Tensor) -> Root:
        """Find the roots, without derivatives.

        Args:
            function: f, see :data:`~preimage.functional.matrices.jacobian.RowMap`.
            y: ``(N, D)``.
            rate: for which plain steps ``x + rate * (y - f(x))`` contract, or at least do not diverge.
        """

    @abc.abstractmethod
    def attach(self, function: RowMap, y: Tensor, x: Tensor, rate: float | Tensor) -> Tensor:
        """The same roots with derivatives."""

    def solve(self, function: RowMap, y: Tensor, rate: float | Tensor = 1.0) -> Tensor:
        """The roots ``(N, D)``; NaN in rows whose equation is not solved to rounding."""
        found = self.search(function, y, rate)
        x = self.attach(function, y, found.x, rate)
        return torch.where(found.converged[:, None], x, torch.full_like(x, torch.nan))


class NewtonSolver(RootSolver):
    """Damped Newton steps with the full Jacobian, see :func:`preimage.functional.roots.newton_system`.

    Derivatives are exact up to the third order. For events of up to some hundred numbers. Compiled, exported
    and ``torch.func`` code makes a fixed number of steps; rows that need more become NaN there.

    Reference: Nocedal, Wright (2006), section 11.2, https://doi.org/10.1007/978-0-387-40065-5

    Args:
        steps: the largest number of steps in eager mode.
        traced_steps: the number of steps elsewhere.

    Cost: D evaluations and O(D^3) a step; 6 to 13 steps, and two more for derivatives.

    Example:
        >>> NewtonSolver().solve(lambda x: x + 0.5 * x.sin(), torch.ones(1, 1))
        tensor([[0.6840]])
    """

    def __init__(self, steps: int = 100, traced_steps: int = 12) -> None:
        self.steps, self.traced_steps = steps, traced_steps

    def search(self, function: RowMap, y: Tensor, rate: float | Tensor) -> Root:
        """Newton steps from y itself."""
        return newton_system(
            function, y, rate * y, rate=rate, steps=self.steps, traced_steps=self.traced_steps
        )

    def attach(self, function: RowMap, y: Tensor, x: Tensor, rate: float | Tensor) -> Tensor:
        """Two more steps."""
        return refine(function, y, x)


class AndersonSolver(RootSolver):
    """Fixed-point steps with Anderson acceleration, see :func:`preimage.functional.roots.anderson`.

    Without Jacobians, for events of any size. First derivatives come from a linear system that is solved in
    the same way in the backward pass; asking for second ones raises an error. Compiled code that needs
    gradients builds the full Jacobian after all: compile under ``torch.no_grad()`` for sampling.

    Reference: Walker, Ni (2011), https://doi.org/10.1137/10078356X; Bai, Kolter, Koltun (2019), Deep
    equilibrium models, https://arxiv.org/abs/1909.01377

    Args:
        memory: number of earlier points that a step looks at.
        steps: the largest number of steps in eager mode.
        traced_steps: the number of steps elsewhere; rows that need more become NaN there.

    Cost: one evaluation a step; 10 to 60 steps for networks, up to 160 for a rotation shrunk by 0.97.

    Example:
        >>> AndersonSolver().solve(lambda x: x + 0.5 * x.sin(), torch.ones(1, 1))
        tensor([[0.6840]])
    """

    def __init__(self, memory: int = 6, steps: int = 2000, traced_steps: int = 60) -> None:
        self.memory, self.steps, self.traced_steps = memory, steps, traced_steps

    def search(self, function: RowMap, y: Tensor, rate: float | Tensor) -> Root:
        """Accelerated steps from y itself."""
        settings = {"memory": self.memory, "steps": self.steps, "traced_steps": self.traced_steps}
        return anderson(function, y, rate * y, rate=rate, **settings)

    def attach(self, function: RowMap, y: Tensor, x: Tensor, rate: float | Tensor) -> Tensor:
        """An autograd node whose backward pass solves the transposed linear system."""
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return refine(function, y, x)  # compilers cannot follow a loop inside of an autograd node
        return _AtRoot.apply(y - function(x), x, function, rate, self)  # pyright: ignore[reportReturnType]


class SolverBySize(RootSolver):
    """One solver for small events, another for large ones.

    Reference: see :class:`NewtonSolver` and :class:`AndersonSolver`; Kelley (1995), Iterative methods for
    linear and nonlinear equations, https://doi.org/10.1137/1.9781611970944

    Args:
        small: for events of up to ``limit`` numbers.
        large: for larger ones.
        limit: the largest number for the first.

    Cost: that of the solver.

    Example:
        >>> SolverBySize().solve(lambda x: x + 0.5 * x.sin(), torch.ones(1, 1))
        tensor([[0.6840]])
    """

    def __init__(
        self, small: RootSolver | None = None, large: RootSolver | None = None, limit: int = 128
    ) -> None:
        self.small, self.large, self.limit = small or NewtonSolver(), large or AndersonSolver(), limit

    def _of(self, y: Tensor) -> RootSolver:
        return self.small if y.shape[1] <= self.limit else self.large

    def search(self, function: RowMap, y: Tensor, rate: float | Tensor) -> Root:
        """By the solver for this size."""
        return self._of(y).search(function, y, rate)

    def attach(self, function: RowMap, y: Tensor, x: Tensor, rate: float | Tensor) -> Tensor:
        """By the solver for this size."""
        return self._of(y).attach(function, y, x, rate)


class _AtRoot(torch.autograd.Function):
    """The root, as a function of the gap that y and the parameters leave: dx = J^-1 d(gap)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        gap: Tensor, x: Tensor, function: RowMap, rate: float | Tensor, solver: AndersonSolver
    ) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        gap, x, ctx.function, ctx.rate, ctx.solver = inputs
        ctx.save_for_backward(gap, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        gap, x = ctx.saved_tensors
        (gradient,) = gradients
        with torch.no_grad():
            pull = torch.func.vjp(ctx.function, x)[1]
            found = ctx.solver.search(lambda v: pull(v)[0], gradient, ctx.rate)
        solved = torch.where(found.converged[:, None], found.x, torch.full_like(found.x, torch.nan))
        if torch.is_grad_enabled():
            solved = _FirstOnly.apply(solved, gap)
        return solved, None, None, None, None


class _FirstOnly(torch.autograd.Function):
    """A derivative that must not be differentiated again, although it depends on what led to it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(derivative: Tensor, origin: Tensor) -> Tensor:
        return derivative.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        raise NotSupportedError(
            "AndersonSolver gives first derivatives only; write solver=NewtonSolver() for higher ones"
        )
