"""Strictly increasing activations: closed-form inverses, with the range of the activation respected."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node, Reference
from preimage.capture.interpret import run_node
from preimage.inverse.context import RuleContext
from preimage.inverse.measured import register_measure
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region
from preimage.inverse.registry import Promise, Site, Solved, register_inverse
from preimage.inverse.rules.range import within


def slope_log_det(site: Site, x: Tensor) -> Tensor:
    """log abs det dx/dy = - sum log f'(x) for an elementwise f, ``(N,)``."""
    return -log_slope(site.graph, site.node, x, site.values)


def log_slope(graph: Graph, node: Node, x: Tensor, values: Mapping[str, Any]) -> Tensor:
    """sum log |f'(x)| of an elementwise node, ``(N,)``; differentiable in x and in the node's parameters."""
    others = {name: value for name, value in values.items() if name not in (node.name, node.inputs[0])}

    def forward(point: Tensor) -> Tensor:
        return run_node(graph, node, {**others, node.inputs[0]: point})

    slope = torch.func.jvp(forward, (x,), (torch.ones_like(x),))[1]
    return slope.abs().log().flatten(1).sum(1) if slope.dim() > 1 else slope.abs().log()


def _one_operand(graph: Graph, node: Node) -> Guarantee:
    return Guarantee.EXACT if len(node.inputs) == 1 else Guarantee.OPAQUE


@register_measure("prelu", "_prelu_kernel")
def _unfolded(graph: Graph, region: Region, _: RuleContext) -> Guarantee:
    """Where a slope is not positive, only y >= 0 has a preimage."""
    slope = graph.by_name[region.nodes[0]].args[1]
    weight = graph.tensor(slope.name) if isinstance(slope, Reference) else None
    return Guarantee.EXACT if weight is not None and bool((weight > 0).all()) else Guarantee.RIGHT


def _where_positive(
    position: int, name: str, default: float, otherwise: Guarantee
) -> Callable[[Graph, Node], Guarantee]:
    """Exact for a positive literal operand; the other promise where it is not."""

    def promise(_: Graph, node: Node) -> Guarantee:
        value = node.args[position] if position < len(node.args) else node.kwargs.get(name, default)
        return Guarantee.EXACT if isinstance(value, int | float) and value > 0 else otherwise

    return promise


@register_inverse("leaky_relu", guarantee=_where_positive(1, "negative_slope", 0.01, Guarantee.RIGHT))
def leaky_relu(site: Site, y: Tensor) -> Solved:
    """x = y above zero, y / slope below."""
    return _two_slopes(site, y, torch.as_tensor(site.operand(1, "negative_slope", 0.01), dtype=y.dtype))


@register_inverse("prelu", "_prelu_kernel", guarantee=_one_operand)
def prelu(site: Site, y: Tensor) -> Solved:
    """x = y above zero, y / slope below, one slope for each channel."""
    weight: Tensor = site.operands[1].detach().to(y)
    return _two_slopes(
        site, y, weight.reshape(-1, *[1] * max(0, y.dim() - 2)) if weight.numel() > 1 else weight
    )


def _two_slopes(site: Site, y: Tensor, slope: Tensor) -> Solved:
    """A slope that is not positive folds the negative half-line.

    Then only y >= 0 has a preimage of its own.
    """
    slope = slope.to(y.device)
    usable = slope > 0
    below = torch.where(usable, y / torch.where(usable, slope, torch.ones_like(slope)), torch.zeros_like(y))
    x = torch.where(y >= 0, y, below)
    if bool(usable.all()):
        return Solved(x, slope_log_det(site, x))
    impossible = (y < 0) & ~usable
    folded = (~usable).expand_as(y)
    return within(x, impossible, y, f"{site.operation} with a slope <= 0", exact=1 - _fraction(folded))


def _fraction(mask: Tensor) -> float:
    return mask.double().mean().item() if mask.numel() else 0.0


def _increasing(
    low: float, high: float, inverse: Callable[[Site, Tensor], Tensor]
) -> Callable[[Site, Tensor], Solved]:
    """A rule for an activation with the open range (low, high).

    Values at or beyond an end are moved inside.
    """

    def rule(site: Site, y: Tensor) -> Solved:
        inside = _clamp_open(y, low, high)
        x = inverse(site, inside)
        outside = (y < low) | (y > high)
        ended = (y <= low) | (y >= high)
        if bool(ended.any()):
            return within(x, outside, y - inside, site.operation, exact=1 - _fraction(ended))
        return Solved(x, slope_log_det(site, x))

    rule.__name__ = getattr(inverse, "__name__", "rule")
    return rule


def _clamp_open(y: Tensor, low: float, high: float) -> Tensor:
    """The nearest representable values strictly inside the interval."""
    first = torch.nextafter(torch.tensor(low, dtype=y.dtype), torch.tensor(math.inf, dtype=y.dtype)).item()
    last = torch.nextafter(torch.tensor(high, dtype=y.dtype), torch.tensor(-math.inf, dtype=y.dtype)).item()
    return (
        y.clamp(first if math.isfinite(low) else None, last if math.isfinite(high) else None)
        if (math.isfinite(low) or math.isfinite(high))
        else y
    )


def _register(
    names: tuple[str, ...],
    low: float,
    high: float,
    inverse: Callable[[Site, Tensor], Tensor],
    guarantee: Promise = Guarantee.EXACT,
) -> None:
    register_inverse(*names, guarantee=guarantee)(_increasing(low, high, inverse))


def _alpha(site: Site, position: int, name: str, default: float) -> Any:
    return site.operand(position, name, default)


def _elu(site: Site, y: Tensor) -> Tensor:
    alpha, scale = _alpha(site, 1, "alpha", 1.0), _alpha(site, 2, "scale", 1.0)
    return torch.where(y >= 0, y / scale, torch.log1p(y.clamp_max(0) / (alpha * scale)))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _selu(_: Site, y: Tensor) -> Tensor:
    return torch.where(y >= 0, y / SELU_SCALE, torch.log1p(y.clamp_max(0) / (SELU_ALPHA * SELU_SCALE)))


def _celu(site: Site, y: Tensor) -> Tensor:
    alpha = _alpha(site, 1, "alpha", 1.0)
    return torch.where(y >= 0, y, alpha * torch.log1p(y.clamp_max(0) / alpha))


def _softplus(site: Site, y: Tensor) -> Tensor:
    beta = _alpha(site, 1, "beta", 1.0)
    return y + torch.log(-torch.expm1(-beta * y)) / beta


def _elu_low(site: Site) -> float:
    return -float(_alpha(site, 1, "alpha", 1.0)) * float(_alpha(site, 2, "scale", 1.0))


@register_inverse("elu", "celu", guarantee=_where_positive(1, "alpha", 1.0, Guarantee.OPAQUE))
def elu(site: Site, y: Tensor) -> Solved:
    """x = log(1 + y / alpha) below zero; the range ends at -alpha."""
    low = _elu_low(site) if site.operation == "elu" else -float(_alpha(site, 1, "alpha", 1.0))
    return _increasing(low, math.inf, _elu if site.operation == "elu" else _celu)(site, y)


_register(("selu",), -SELU_ALPHA * SELU_SCALE, math.inf, _selu)
_register(("sigmoid",), 0.0, 1.0, lambda _, y: y.log() - torch.log1p(-y))
_register(("tanh",), -1.0, 1.0, lambda _, y: torch.atanh(y))
_register(("softplus",), 0.0, math.inf, _softplus, _where_positive(1, "beta", 1.0, Guarantee.OPAQUE))
_register(("log_sigmoid",), -math.inf, 0.0, lambda _, y: y - torch.log(-torch.expm1(y)))
_register(("exp",), 0.0, math.inf, lambda _, y: y.log())
_register(("log",), -math.inf, math.inf, lambda _, y: y.exp())
_register(("log1p",), -math.inf, math.inf, lambda _, y: y.expm1())
_register(("expm1",), -1.0, math.inf, lambda _, y: y.log1p())
_register(("asinh",), -math.inf, math.inf, lambda _, y: y.sinh())
_register(("sinh",), -math.inf, math.inf, lambda _, y: y.asinh())
_register(("atan",), -math.pi / 2, math.pi / 2, lambda _, y: y.tan())
_register(("softsign",), -1.0, 1.0, lambda _, y: y / (1 - y.abs()))
