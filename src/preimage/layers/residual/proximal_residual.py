"""Residual layers whose branch need not be a contraction."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.layers.residual.log_det import LogDet
from preimage.layers.residual.proximal_network import ProximalNetwork
from preimage.layers.residual.residual import Residual
from preimage.layers.residual.root_solver import RootSolver


class ProximalResidual(Bijection):
    r"""The identity plus an averaged map of any size, :math:`y = x + \gamma\,\Phi(x)`.

    With one block any strength gamma is invertible, far beyond Lipschitz constant 1: an averaged map never
    turns anything around. It equals :math:`a\,(x + g(x))` with a contraction g, see
    :class:`~preimage.layers.ProximalMLP`, so that

    .. math:: \text{log\_det} = D \log a + \log\det(I + J_g(x)).

    Reference: Hertrich (2023), Proximal residual flows for Bayesian inverse problems,
    https://arxiv.org/abs/2211.17158

    Args:
        network: the map Phi with its strength, a :class:`~preimage.layers.ProximalMLP` or
            :class:`~preimage.layers.ProximalConvNet`.
        log_det: as for :class:`~preimage.layers.Residual`.
        solver: as for :class:`~preimage.layers.Residual`.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Cost: as for :class:`~preimage.layers.Residual`.

    Example:
        >>> import torch
        >>> from preimage.layers import ProximalMLP
        >>> layer = ProximalResidual(ProximalMLP(3, (16,), strength=5.0))
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(
        self, network: ProximalNetwork, *, log_det: LogDet | None = None, solver: RootSolver | None = None
    ) -> None:
        super().__init__()
        self.scale = network.scale
        self.residual = Residual(network, log_det=log_det, solver=solver)
        self.domain, self.codomain = self.residual.domain, self.residual.codomain
        self.context_domain = self.residual.context_domain

    def forward(self, x: Any, context: Context = None) -> Any:
        """y alone, without the cost of a log_det."""
        return self.scale * self.residual(x, context)

    def inverse(self, y: Any, context: Context = None) -> Any:
        """x alone, without the cost of a log_det."""
        return self.residual.inverse(_divided(y, self.scale), context)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """A contraction, and a factor."""
        y, log_det = self.residual.forward_and_log_det(x, context)
        return self.scale * y, log_det + self._log_scale(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The factor, and a root."""
        x, log_det = self.residual.inverse_and_log_det(y / self.scale, context)
        return x, log_det - self._log_scale(y)

    def _log_scale(self, x: Tensor) -> float:
        return math.prod(list(x.shape[1:])) * math.log(self.scale)


def _divided(y: Any, scale: float) -> Any:
    """A tensor over a number; anything else as it is, for the checks to refuse."""
    return y / scale if isinstance(y, Tensor) and y.is_floating_point() else y
