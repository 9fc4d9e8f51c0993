"""Invertible residual layers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context, exact_arithmetic
from preimage.functional.matrices.jacobian import RowMap
from preimage.functional.matrices.log_det_series import LogDetEstimate
from preimage.layers.residual.arguments import check_arguments
from preimage.layers.residual.lipschitz_network import LipschitzNetwork, function_of_rows
from preimage.layers.residual.log_det import ExactLogDet, LogDet
from preimage.layers.residual.root_solver import RootSolver, SolverBySize
from preimage.layers.structure.recording import Records, open_recordings


class Residual(Bijection):
    r"""The identity plus a contraction, :math:`y = x + g(x)`.

    Any network with a Lipschitz constant below 1 will do. The inverse solves the equation to rounding, by
    Newton's method or accelerated fixed-point steps; rows where that fails are NaN, and
    :meth:`certified_inverse` says so.

    .. math:: \text{log\_det} = \log\det(I + J_g(x))

    is exact by default; for large events choose an unbiased estimate,
    ``log_det=RussianRoulette()``. Its standard error is recorded by an open
    :class:`~preimage.layers.Recording` under ``"log_det standard error"`` and ``"log_det bias bound"``.

    Reference: Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), Invertible residual networks,
    https://arxiv.org/abs/1811.00995; Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows,
    https://arxiv.org/abs/1906.02735

    Args:
        network: the contraction g, such as :class:`~preimage.layers.LipschitzMLP`; context included.
        log_det: how the log_det is computed, :class:`~preimage.layers.ExactLogDet` by default.
        solver: how the inverse is computed; by default Newton's method for up to 128 numbers, accelerated
            fixed-point steps above.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Raises:
        ValueError: the network's Lipschitz constant is not below 1.

    Cost: forward one run of the network, log_det D runs and O(D^3); inverse 6 to 13 D, or 10 to 160 runs.

    Example:
        >>> import torch
        >>> from preimage.layers import LipschitzMLP
        >>> layer = Residual(LipschitzMLP(3, (16,)))
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(
        self, network: LipschitzNetwork, *, log_det: LogDet | None = None, solver: RootSolver | None = None
    ) -> None:
        super().__init__()
        if network.bound >= 1:
            raise ValueError(
                f"Residual: the network's Lipschitz constant is {network.bound}, wanted less than 1; write"
                f" {type(network).__name__}(..., bound=0.97)"
            )
        self.network, self.log_det, self.solver = network, log_det or ExactLogDet(), solver or SolverBySize()
        self.domain = self.codomain = network.domain
        self.context_domain = network.context_domain

    def forward(self, x: Any, context: Context = None) -> Any:
        """y alone, without the cost of a log_det."""
        x, context = check_arguments(self, "forward", "x", x, context)
        with exact_arithmetic(x):
            return x + self.network.prepare(context)(x)

    def inverse(self, y: Any, context: Context = None) -> Any:
        """x alone, without the cost of a log_det."""
        y, context = check_arguments(self, "inverse", "y", y, context)
        with exact_arithmetic(y):
            return self._solve(function_of_rows(self.network.prepare(context), y.shape[1:]), y)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """x plus the network."""
        function = self.network.prepare(context)
        found = self._log_det(function_of_rows(function, x.shape[1:]), x)
        for recording in open_recordings():
            _record(recording.forward, found)
        return x + function(x), found.value

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Solve for x."""
        function = function_of_rows(self.network.prepare(context), y.shape[1:])
        x = self._solve(function, y)
        found = self._log_det(function, x)
        for recording in open_recordings():
            _record(recording.inverse, found)
        return x, -found.value

    def _solve(self, function: RowMap, y: Tensor) -> Tensor:
        return self.solver.solve(lambda x: x + function(x), y.flatten(1)).view(y.shape)

    def _log_det(self, function: RowMap, x: Tensor) -> LogDetEstimate:
        return self.log_det.estimate(function, x.flatten(1), self.network.bound)

    def estimate_log_det(self, x: Tensor, context: Context = None) -> LogDetEstimate:
        """The log_det of the forward direction with its standard error, bias bound and number of probes.

        Args:
            x: data ``(N, *event)``.
            context: as for ``forward``.
        """
        x, context = check_arguments(self, "estimate_log_det", "x", x, context)
        with exact_arithmetic(x):
            return self._log_det(function_of_rows(self.network.prepare(context), x.shape[1:]), x)


def _record(records: Records, found: LogDetEstimate) -> None:
    bias = found.standard_error.new_full(found.standard_error.shape, found.bias_bound)
    records.values.setdefault("log_det standard error", []).append(found.standard_error)
    records.values.setdefault("log_det bias bound", []).append(bias)
