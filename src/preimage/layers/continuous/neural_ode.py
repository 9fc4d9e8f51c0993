"""Continuous normalising flows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.certificate import Certificate, OnError, enforce, relative_residual
from preimage.checks import Context, as_tuple, exact_arithmetic
from preimage.domains import Domain
from preimage.functional.matrices.jacobian import RowMap
from preimage.layers.continuous.ode_solver import Extrapolation, Field, OdeSolver
from preimage.layers.continuous.penalty import Penalty
from preimage.layers.continuous.trace import ExactTrace, Trace
from preimage.layers.residual.arguments import check_arguments
from preimage.layers.residual.lipschitz_network import function_of_rows, repeat_rows
from preimage.layers.structure.recording import Records, open_recordings


class NeuralODE(Bijection):
    r"""Moves along a velocity, from time 0 to time T: :math:`\dot x = v(t, x)`, :math:`y = x(T)`.

    .. math:: \text{log\_det} = \int_0^T \operatorname{tr} \frac{\partial v}{\partial x} dt

    The inverse runs the same equation backwards. Any smooth velocity will do: solutions never meet. What the
    solver gets wrong shows in the round trip, :meth:`certified_inverse`, and against a finer solver,
    :meth:`certified_forward`.

    While a :class:`~preimage.layers.Recording` is open, it gets the integrals of the penalties as losses, and
    with two or more random probes the standard error of the log_det as the value
    ``"log_det standard error"``.

    Reference: Chen, Rubanova, Bettencourt, Duvenaud (2018), Neural ordinary differential equations,
    https://arxiv.org/abs/1806.07366; Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019), FFJORD,
    https://arxiv.org/abs/1810.01367

    Args:
        velocity: module called with the time ``()``, x ``(N, *event)`` and, where there is one, the context;
            returns the shape of x. Rows independent; called with multiples of N rows.
        domain: what comes in, such as ``Reals(3)`` or ``Reals(3, None, None)``.
        context_domain: what the context looks like, None where there is none.
        trace: how the divergence is computed, :class:`~preimage.layers.ExactTrace` by default,
            :class:`~preimage.layers.HutchinsonTrace` for large events.
        solver: how the equation is solved; by default :class:`~preimage.layers.Extrapolation`.
        duration: the time T, positive.
        penalties: what else is integrated while a recording is open.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Raises:
        ValueError: the duration is not positive.

    Cost: as many evaluations as the solver makes (68 by default), times D + 1 for an exact log_det.

    Example:
        >>> from preimage.domains import Reals
        >>> from preimage.layers import VelocityMLP
        >>> flow = NeuralODE(VelocityMLP(2, (8,)), Reals(2))
        >>> x = torch.randn(3, 2)
        >>> torch.allclose(flow.inverse(flow(x)), x, atol=1e-5)
        True
    """

    def __init__(
        self,
        velocity: nn.Module,
        domain: Domain,
        *,
        context_domain: Domain | None = None,
        trace: Trace | None = None,
        solver: OdeSolver | None = None,
        duration: float = 1.0,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        super().__init__()
        if not 0 < duration < math.inf:
            raise ValueError(f"NeuralODE: duration is {duration}, wanted a positive number, such as 1.0")
        self.velocity, self.duration = velocity, duration
        self.domain = self.codomain = domain
        self.context_domain = context_domain
        self.trace, self.solver = trace or ExactTrace(), solver or Extrapolation()
        self.penalties = nn.ModuleList(penalties)

    def forward(self, x: Any, context: Context = None) -> Any:
        """y alone, without the cost of a log_det."""
        x, context = check_arguments(self, "forward", "x", x, context)
        with exact_arithmetic(x):
            return self._move(self.solver, x, context, 0.0, self.duration)

    def inverse(self, y: Any, context: Context = None) -> Any:
        """x alone, without the cost of a log_det."""
        y, context = check_arguments(self, "inverse", "y", y, context)
        with exact_arithmetic(y):
            return self._move(self.solver, y, context, self.duration, 0.0)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """From time 0 to T."""
        records = [recording.forward for recording in open_recordings()]
        return self._flow(x, context, 0.0, self.duration, records)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """From time T to 0."""
        records = [recording.inverse for recording in open_recordings()]
        return self._flow(y, context, self.duration, 0.0, records)

    def certified_forward(
        self,
        x: Tensor,
        context: Context = None,
        *,
        tolerance: float | None = None,
        on_error: OnError = "raise",
    ) -> tuple[Tensor, Certificate]:
        """y, with its difference from what a much finer solver finds as the residual.

        Args:
            x: data ``(N, *event)``.
            context: as for ``forward``.
            tolerance: largest relative difference, ``sqrt(eps)`` of the dtype by default.
            on_error: what to do about samples that fail: ``"raise"``, ``"warn"``, or ``"nan"``.

        Returns:
            y, and the certificate.

        Raises:
            NotConvergedError: some sample failed, and ``on_error`` is ``"raise"``.

        Cost: about three runs of the solver.
        """
        y = self.forward(x, context)
        with torch.no_grad():
            wanted = self._move(self.solver.finer(), x, context, 0.0, self.duration)
            residual = relative_residual(y, wanted)
        limit = torch.finfo(y.dtype).eps ** 0.5 if tolerance is None else tolerance
        converged = residual <= limit
        message = (
            "" if bool(converged.all()) else "a finer solver finds something else; use one, or more steps"
        )
        certificate = Certificate(residual, converged, error_bound=residual, message=message)
        return enforce(y, certificate, on_error, "NeuralODE.forward"), certificate

    def _velocity(self, x: Tensor, context: Context, time: Tensor) -> RowMap:
        """The velocity at a time, on flattened rows."""

        def at(place: Tensor) -> Tensor:
            if context is None:
                return self.velocity(time, place)
            return self.velocity(time, place, repeat_rows(context, place.shape[0]))

        return function_of_rows(at, x.shape[1:])

    def _dependencies(self, context: Context) -> list[Tensor]:
        tensors = [*self.parameters(), *(() if context is None else as_tuple(context))]
        return [tensor for tensor in tensors if tensor.requires_grad]

    def _move(self, solver: OdeSolver, x: Tensor, context: Context, start: float, end: float) -> Tensor:
        field: Field = lambda time, place: self._velocity(x, context, time)(place)  # noqa: E731
        return solver.solve(field, x.flatten(1), start, end, self._dependencies(context)).view(x.shape)

    def _flow(
        self, x: Tensor, context: Context, start: float, end: float, records: list[Records]
    ) -> tuple[Tensor, Tensor]:
        """The place and the integral of the divergence, and of the penalties where somebody records them."""
        flat = x.flatten(1)
        size, columns = flat.shape[1], self.trace.columns
        penalties: list[Any] = list(self.penalties) if records else []
        directions = self.trace.directions(flat)
        sign = 1 if end > start else -1  # penalties grow in both directions

        def field(time: Tensor, state: Tensor) -> Tensor:
            place = state[:, :size]
            products = self.trace.products(self._velocity(x, context, time), place, directions)
            rates = [penalty.rate(time, place, products)[:, None] for penalty in penalties]
            return torch.cat(
                [products.velocity, products.divergence, *(sign * rate for rate in rates)], dim=1
            )

        state = torch.cat([flat, flat.new_zeros(flat.shape[0], columns + len(penalties))], dim=1)
        state = self.solver.solve(field, state, start, end, self._dependencies(context))
        y, divergence, integrals = state.split([size, columns, len(penalties)], dim=1)
        for record in records:
            _record(record, divergence, penalties, integrals)
        return y.reshape(x.shape), divergence.mean(1)


def _record(records: Records, divergence: Tensor, penalties: list[Any], integrals: Tensor) -> None:
    for penalty, integral in zip(penalties, integrals.unbind(1), strict=True):
        records.losses.setdefault(penalty.name, []).append(integral)
    if divergence.shape[1] > 1:
        error = divergence.detach().std(1) / divergence.shape[1] ** 0.5
        records.values.setdefault("log_det standard error", []).append(error)
