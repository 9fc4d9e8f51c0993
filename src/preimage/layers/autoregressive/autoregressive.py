"""Autoregressive maps: all features at once one way, generation after generation the other way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.certificate import Certificate, OnError
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import sum_event
from preimage.layers.coupling.affine_map import AffineMap
from preimage.layers.coupling.element_map import ElementMap
from preimage.nets import AutoregressiveNet
from preimage.nets.autoregressive_net import Solution


class Autoregressive(Bijection):
    r"""Autoregressive layer, :math:`y_i = g(x_i;\, \theta_i(x_{<i}, c))`.

    Forward, from data to latent, is one run of the network for all features. The inverse is solved exactly:
    with a masked network in one run as well, in which every hidden unit is computed once, see
    :class:`~preimage.nets.MaskedNet`; with any other network by parallel sweeps, see
    :class:`~preimage.nets.CausalNet`. Swap the directions with ``.inv`` or use
    :class:`~preimage.layers.InverseAutoregressive` where sampling counts more than densities.

    Reference: Papamakarios, Pavlakou, Murray (2017), Masked autoregressive flow,
    https://arxiv.org/abs/1705.07057

    Args:
        net: gives each feature its parameters: :class:`~preimage.nets.MaskedMLP`,
            :class:`~preimage.nets.MaskedResidualNet`, or any module in a :class:`~preimage.nets.CausalNet`.
            It says the event shape, who depends on whom, and the context.
        element_map: the map g; :class:`~preimage.layers.AffineMap` by default.

    Returns:
        y of the shape of x ``(N, *event_shape)``, and log_det ``(N,)``.

    Raises:
        ValueError: the network gives another number of parameters than the element map takes.

    Cost: forward one run of the network. Inverse: of a masked network the arithmetic of one run, in as many
    small steps as there are generations of features; of another network at most that many runs.

    Example:
        >>> import torch
        >>> from preimage.nets import MaskedMLP
        >>> layer = Autoregressive(MaskedMLP(5, count=2))
        >>> x = torch.randn(4, 5)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-6)
        True
    """

    def __init__(self, net: AutoregressiveNet, element_map: ElementMap | None = None) -> None:
        super().__init__()
        self.net = net
        self.element_map = AffineMap() if element_map is None else element_map
        if net.count != self.element_map.count:
            raise ValueError(
                f"Autoregressive: {type(net).__name__} gives {net.count} parameters a feature, wanted"
                f" {self.element_map.count} for {type(self.element_map).__name__}; write"
                f" {type(net).__name__}(..., count={self.element_map.count})"
            )
        self.domain = self.codomain = Reals(*net.event_shape)
        self.context_domain = net.context_domain

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """All features at once."""
        raw = self.net(x, context).to(x.dtype)  # (N, *event_shape, count)
        y, log_slope = self.element_map.forward_elements(x, raw)
        return y, sum_event(log_slope)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Generation after generation, or by sweeps."""
        solution = self.solve(y, context)
        return solution.x, solution.log_det

    def solve(self, y: Tensor, context: Context = None) -> Solution:
        """The inverse, with the number of sequential steps that it took.

        Args:
            y: tensor ``(N, *event_shape)``.
            context: as for the network.

        Returns:
            x, the log_det of the inverse ``(N,)``, and the steps of each row, int ``(N,)``.
        """
        return self.net.solve(self.element_map.inverse_elements, y, context)  # pyright: ignore[reportArgumentType]

    def certified_inverse(
        self, y: Any, context: Context = None, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        """As for every bijection; the iterations are the sequential steps. Cost: one inverse more."""
        x, certificate = super().certified_inverse(y, context, tolerance=tolerance, on_error=on_error)
        with torch.no_grad():
            return x, replace(certificate, iterations=self.solve(y, context).passes)
