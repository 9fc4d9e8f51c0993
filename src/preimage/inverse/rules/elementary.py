"""Elementary functions of one number: roots, powers, logarithms, circular functions, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.roles import register_structural
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.range import within
from preimage.inverse.rules.reshape import zeros_log_det

Function = Callable[[Tensor], Tensor]

SMALL, LARGE = 1e-30, 1e18
"""Stand for the ends of open ranges, within the range of float32."""


def _on(low: float, high: float, inverse: Function, *, unique: bool) -> Callable[[Site, Tensor], Solved]:
    """A rule for a function with the range [low, high]; what lies outside is moved to the nearest end."""

    def rule(site: Site, y: Tensor) -> Solved:
        inside = y.clamp(low, high)
        outside = y != inside
        x = inverse(inside).nan_to_num(0.0, LARGE, -LARGE)
        kept = 1 - outside.double().mean().item() if unique and y.numel() else 0.0
        return within(x, outside, y - inside, site.operation, exact=kept)

    return rule


def _register(
    names: tuple[str, ...], low: float, high: float, inverse: Function, guarantee: Guarantee
) -> None:
    unique = guarantee is Guarantee.LEFT
    register_inverse(*names, guarantee=guarantee)(_on(low, high, inverse, unique=unique))


LEFT, RIGHT = Guarantee.LEFT, Guarantee.RIGHT

_register(("sqrt",), 0.0, math.inf, lambda y: y.square(), LEFT)
_register(("rsqrt",), SMALL, math.inf, lambda y: y.square().reciprocal(), LEFT)
_register(("exp2",), SMALL, math.inf, torch.log2, LEFT)
_register(("log2",), -math.inf, math.inf, torch.exp2, LEFT)
_register(("log10",), -math.inf, math.inf, lambda y: torch.pow(10.0, y), LEFT)
_register(("erf",), -1.0, 1.0, torch.erfinv, LEFT)
_register(("logit",), -math.inf, math.inf, torch.sigmoid, LEFT)
_register(("atanh",), -math.inf, math.inf, torch.tanh, LEFT)
_register(("acosh",), 0.0, math.inf, torch.cosh, LEFT)
_register(("asin",), -math.pi / 2, math.pi / 2, torch.sin, LEFT)
_register(("acos",), 0.0, math.pi, torch.cos, LEFT)
_register(("square",), 0.0, math.inf, torch.sqrt, RIGHT)
_register(("abs",), 0.0, math.inf, lambda y: y, RIGHT)
_register(("cosh",), 1.0, math.inf, torch.acosh, RIGHT)
_register(("sin",), -1.0, 1.0, torch.asin, RIGHT)
_register(("cos",), -1.0, 1.0, torch.acos, RIGHT)
_register(("tan",), -math.inf, math.inf, torch.atan, RIGHT)
_register(("hardsigmoid",), 0.0, 1.0, lambda y: 6 * y - 3, RIGHT)


@register_inverse("reciprocal", guarantee=Guarantee.LEFT)
def reciprocal(site: Site, y: Tensor) -> Solved:
    """x = 1 / y; y = 0 has no preimage."""
    zero = y == 0
    x = torch.where(zero, 0.0, torch.where(zero, 1.0, y).reciprocal())
    return within(x, zero, zero.to(y), site.operation, exact=1 - zero.double().mean().item())


def _of_power(graph: Graph, node: Node) -> Guarantee:
    exponent = node.args[1] if len(node.args) > 1 else None
    if len(node.inputs) != 1 or not isinstance(exponent, int | float) or exponent == 0:
        return Guarantee.OPAQUE
    odd = float(exponent) == int(exponent) and int(exponent) % 2 == 1
    return Guarantee.LEFT if odd else Guarantee.RIGHT


@register_inverse("pow", guarantee=_of_power)
def power(site: Site, y: Tensor) -> Solved:
    """x = y^(1/p): of both signs for an odd p, the root that is not negative for others."""
    exponent = float(site.operand(1, "exponent"))
    odd = exponent == int(exponent) and int(exponent) % 2 == 1
    size = (y.abs() if odd else y.clamp_min(0)).pow(1 / exponent)
    x = size * y.sign() if odd else size
    x = torch.where(x.isfinite(), x, 0.0)
    outside = (y < 0) & (not odd)
    return within(x, outside, y, site.operation, exact=float(odd))


@register_inverse("softmax", "_softmax", guarantee=Guarantee.RIGHT)
def softmax(site: Site, y: Tensor) -> Solved:
    """x = log y, one of the preimages c + log y; probabilities of zero get the smallest number."""
    tiny = torch.finfo(y.dtype).tiny
    return within(y.clamp_min(tiny).log(), y < 0, y, site.operation, exact=0.0)


@register_inverse("log_softmax", "_log_softmax", guarantee=Guarantee.RIGHT)
def log_softmax(site: Site, y: Tensor) -> Solved:
    """x = y, one of the preimages c + y."""
    return Solved(y, exact=0.0)


CASTS = ("to", "_to_copy", "float", "double", "nan_to_num")
register_structural(*CASTS)


@register_inverse(*CASTS)
def cast(site: Site, y: Tensor) -> Solved:
    """The same numbers in another format."""
    return Solved(y.reshape(site.sizes(y)), zeros_log_det(site, y))


@register_inverse("softshrink", guarantee=Guarantee.RIGHT)
def soft_shrink(site: Site, y: Tensor) -> Solved:
    """x = y + lambda sign(y); everything within lambda of zero became zero."""
    return Solved(y + float(site.operand(1, "lambd", 0.5)) * y.sign(), exact=_nonzero(y))


@register_inverse("hardshrink", "threshold", guarantee=Guarantee.RIGHT)
def kept_or_constant(site: Site, y: Tensor) -> Solved:
    """x = y, what the operation keeps; the constant that stands for all the rest was anything in there."""
    constant = float(site.operand(2, "value", 0.0)) if site.operation == "threshold" else 0.0
    return Solved(y, exact=_nonzero(y - constant))


def _nonzero(y: Tensor) -> float:
    return (y != 0).double().mean().item() if y.numel() else 1.0


@register_inverse("rrelu", guarantee=Guarantee.LEFT)
def fixed_random_relu(site: Site, y: Tensor) -> Solved:
    """Without randomness a leaky ReLU whose slope is the mean of both bounds."""
    slope = (float(site.operand(1, "lower", 1 / 8)) + float(site.operand(2, "upper", 1 / 3))) / 2
    return Solved(torch.where(y >= 0, y, y / slope) if slope > 0 else y.clamp_min(0), exact=float(slope > 0))
