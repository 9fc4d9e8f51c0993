"""The integral of a positive network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from preimage.checks import exact_arithmetic
from preimage.functional.roots import certain_root
from preimage.functional.scalar.clenshaw_curtis import clenshaw_curtis
from preimage.layers.coupling.element_map import ElementMap
from preimage.nets import zero_last_layer

ROUGH = 1e-3
"""Where the rule with half as many nodes differs by more than this, the integral is not trusted."""


def bounded_exponential(raw: Tensor) -> Tensor:
    r"""A positive number between 1e-3 and 1e3, :math:`\exp(7 \tanh(r / 7))`.

    Args:
        raw: any shape.

    Returns:
        The same shape.

    Example:
        >>> bounded_exponential(torch.tensor([0.0, 1e9]))
        tensor([1.0000e+00, 1.0966e+03])
    """
    return torch.exp(7 * torch.tanh(raw / 7))


class Integral(NamedTuple):
    """The value of the map, its derivative, and by how much the rule with half as many nodes differs."""

    value: Tensor
    slope: Tensor
    roughness: Tensor


@final
class UnconstrainedMonotoneMap(ElementMap):
    r"""Unconstrained monotone network, :math:`y = b + \int_0^x g(t; s)\, \mathrm{d}t` with a positive g.

    The network g takes t and a signal s of some numbers. Beyond ``bound`` it keeps its value at the bound, so
    the map goes on in a straight line and its range is the whole line. The weights of g are the map's own; an
    element has the signal and the shift b as parameters. Starts as the identity.

    The integral is that of a Clenshaw-Curtis rule: exact for a polynomial of degree n, very close for smooth
    networks. The log-slope is that of the integral itself, log g(x). Inputs in whose reach g is so rough that
    half of the nodes give another integral (relative difference above 1e-3) are answered by NaN in the
    inverse, for there the map need not be increasing; use more nodes, or smaller weights.

    Reference: Wehenkel, Louppe (2019), Unconstrained monotonic neural networks,
    https://arxiv.org/abs/1908.05164

    Args:
        signal: how many numbers tell the integrand about the element.
        hidden_features: widths of the hidden layers of the integrand.
        nodes: n, a multiple of 4: the integrand is evaluated n + 1 times.
        bound: where the straight lines begin; data should lie inside.
        activation: class of the smooth activation of the integrand.
        positive: makes the output of the network positive, elementwise and smoothly;
            :func:`bounded_exponential` by default.

    Raises:
        ValueError: a setting is out of range.

    Cost: n + 1 evaluations of the integrand an element forward; some ten times that in the inverse.

    Example:
        >>> layer = UnconstrainedMonotoneMap(signal=2)
        >>> x, raw = torch.tensor([3.0]), torch.zeros(1, 3)
        >>> torch.allclose(layer.forward_elements(x, raw)[0], x)
        True
    """

    def __init__(
        self,
        signal: int = 8,
        hidden_features: Sequence[int] = (32, 32),
        *,
        nodes: int = 32,
        bound: float = 10.0,
        activation: type[nn.Module] = nn.Tanh,
        positive: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(count=signal + 1)
        if signal < 1 or nodes < 4 or nodes % 4 or bound <= 0:
            raise ValueError(
                f"UnconstrainedMonotoneMap: got signal={signal}, nodes={nodes} and bound={bound}, wanted at"
                " least one number, a multiple of 4 and a positive number, such as 8, 32 and 10.0"
            )
        self.positive = bounded_exponential if positive is None else positive
        self.bound, self.rule, self.half_rule = bound, clenshaw_curtis(nodes), clenshaw_curtis(nodes // 2)
        self.of_place = nn.Linear(1, hidden_features[0])
        self.of_signal = nn.Linear(signal, hidden_features[0], bias=False)
        sizes = itertools.pairwise([*hidden_features, 1])
        layers = [layer for size in sizes for layer in (activation(), nn.Linear(*size))]
        self.rest = zero_last_layer(nn.Sequential(*layers))

    def integrand(self, places: Tensor, signal: Tensor) -> Tensor:
        """g at places ``(..., P)`` for a signal ``(..., signal)``."""
        hidden = self.of_place(places[..., None]) + self.of_signal(signal)[..., None, :]  # (..., P, hidden)
        return self.positive(self.rest(hidden)[..., 0])

    def integral(self, x: Tensor, raw: Tensor) -> Integral:
        """The map with evidence.

        Args:
            x: elements ``(...)``.
            raw: signal and shift ``(..., signal + 1)``.

        Returns:
            Value, slope and roughness, all of the shape of x.
        """
        with exact_arithmetic(x):
            return self._integral(x, raw)

    def _integral(self, x: Tensor, raw: Tensor) -> Integral:
        nodes, weights = x.new_tensor(self.rule[0]), x.new_tensor(self.rule[1])
        inside = x.clamp(-self.bound, self.bound)
        g = self.integrand(inside[..., None] * nodes, raw[..., :-1])  # (..., n + 1)
        mean, coarse = (g * weights).sum(-1), (g[..., ::2] * x.new_tensor(self.half_rule[1])).sum(-1)
        slope = g[..., -1]
        value = raw[..., -1] + inside * mean + slope * (x - inside)
        return Integral(value, slope, ((mean - coarse) / mean).abs().detach())

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Integrate."""
        value, slope, _ = self.integral(x, raw)
        return value, slope.log()

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Search a bracket, then the root; NaN where the integral is not trusted."""

        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            return self.integral(x, raw)[:2]

        x, slope = certain_root(function, y, *self._bracket(y, raw))
        doubt = torch.where(self.integral(x, raw).roughness < ROUGH, 0.0, torch.nan).to(y.dtype)
        return x + doubt, doubt - slope.log()

    @torch.no_grad()
    def _bracket(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Between the bounds, or beyond one of them on the straight line."""
        ends = []
        for bound, outwards in ((-self.bound, torch.minimum), (self.bound, torch.maximum)):
            place = torch.full_like(y, bound)
            value, slope, _ = self.integral(place, raw)
            beyond = place + 1.001 * (y - value) / slope  # a little further than the root
            ends.append(outwards(place, beyond))
        return ends[0], ends[1]

    def extra_repr(self) -> str:
        """The settings."""
        return f"signal={self.count - 1}, nodes={len(self.rule[0]) - 1}, bound={self.bound:g}"
