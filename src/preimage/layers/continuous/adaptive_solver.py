"""Adaptive solvers of the package torchdiffeq, with plain and with adjoint gradients."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.errors import MissingExtraError, NotConvergedError
from preimage.layers.continuous.ode_solver import Field, OdeSolver


class _Torchdiffeq(OdeSolver):
    """A solver of torchdiffeq that keeps its tolerance in every row, not only in the mean of a batch."""

    def __init__(self, method: str = "dopri5", rtol: float = 1e-6, atol: float = 1e-6) -> None:
        if rtol < 0 or atol <= 0:
            name = type(self).__name__
            raise ValueError(f"{name}: got rtol={rtol}, atol={atol}, wanted positive numbers")
        self.method, self.rtol, self.atol = method, rtol, atol

    @abc.abstractmethod
    def integrate(self, field: Field, state: Tensor, times: Tensor, dependencies: Sequence[Tensor]) -> Tensor:
        """The states at both times ``(2, N, S)``."""

    def solve(
        self, field: Field, state: Tensor, start: float, end: float, dependencies: Sequence[Tensor] = ()
    ) -> Tensor:
        """Steps of a size that keeps the estimated error within the tolerance."""
        if state.shape[0] == 0:
            return state + 0 * field(state.new_full((), start), state)
        times = torch.tensor([start, end], dtype=state.dtype, device=state.device)
        try:
            return self.integrate(field, state, times, dependencies)[-1]
        except AssertionError as error:
            raise NotConvergedError(
                f"{type(self).__name__}: {error}. The equation is too stiff for {self.method} with"
                f" rtol={self.rtol}, atol={self.atol}, or the state is not finite; loosen the tolerance, use"
                " float64, or smooth the velocity"
            ) from error

    def finer(self) -> OdeSolver:
        """Tolerances of a hundredth."""
        return type(self)(self.method, self.rtol / 100, self.atol / 100)


class AdaptiveSolver(_Torchdiffeq):
    """An adaptive solver of torchdiffeq through which autograd differentiates.

    Exact gradients of the discrete solution; memory grows with the number of steps. Needs the extra ``ode``.

    Reference: Chen, Rubanova, Bettencourt, Duvenaud (2018), Neural ordinary differential equations,
    https://arxiv.org/abs/1806.07366; Dormand, Prince (1980), https://doi.org/10.1016/0771-050X(80)90013-3

    Args:
        method: such as ``"dopri5"`` or ``"dopri8"``.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.

    Raises:
        MissingExtraError: torchdiffeq is not installed.
        NotConvergedError: the step size went to zero.

    Cost: 6 evaluations a step for ``"dopri5"``, and as many steps as the tolerance asks for.

    Example:
        >>> AdaptiveSolver("dopri8", rtol=1e-8).finer().rtol
        1e-10
    """

    def integrate(self, field: Field, state: Tensor, times: Tensor, dependencies: Sequence[Tensor]) -> Tensor:
        """Plain differentiation."""
        odeint = _torchdiffeq().odeint
        return odeint(
            field, state, times, rtol=self.rtol, atol=self.atol, method=self.method, options=_options()
        )


class AdjointSolver(_Torchdiffeq):
    """An adaptive solver of torchdiffeq whose gradient solves a second equation backwards.

    Memory does not grow with the number of steps; gradients are right to the tolerance. Needs the extra
    ``ode``.

    Reference: Chen, Rubanova, Bettencourt, Duvenaud (2018), Neural ordinary differential equations,
    https://arxiv.org/abs/1806.07366

    Args:
        method: such as ``"dopri5"`` or ``"dopri8"``.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.

    Raises:
        MissingExtraError: torchdiffeq is not installed.
        NotConvergedError: the step size went to zero.

    Cost: as for :class:`AdaptiveSolver`; backwards the same again with a state of twice the size.

    Example:
        >>> AdjointSolver().method
        'dopri5'
    """

    def integrate(self, field: Field, state: Tensor, times: Tensor, dependencies: Sequence[Tensor]) -> Tensor:
        """The adjoint method."""
        return _torchdiffeq().odeint_adjoint(
            _AsModule(field),
            state,
            times,
            rtol=self.rtol,
            atol=self.atol,
            method=self.method,
            options=_options(),
            adjoint_params=tuple(dependencies),
        )


class _AsModule(nn.Module):
    """A function as a module, which the adjoint method insists on."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def forward(self, time: Tensor, state: Tensor) -> Tensor:
        return self.field(time, state)


def _options() -> dict[str, Callable[[Tensor], Tensor]]:
    return {"norm": _largest_row}


def _largest_row(error: Tensor) -> Tensor:
    """The root of the mean square of the worst row ``()``."""
    rows = error if error.dim() > 1 else error[None]
    return rows.flatten(1).square().mean(1).sqrt().amax()


def _torchdiffeq() -> Any:
    try:
        import torchdiffeq
    except ImportError as error:
        raise MissingExtraError(
            "adaptive solvers need the package torchdiffeq; write pip install 'preimage[ode]', or use"
            " Extrapolation() or RungeKutta(), which need nothing"
        ) from error
    return torchdiffeq
