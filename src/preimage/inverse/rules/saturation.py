"""Which activations saturate, and between which values they are the identity."""

from __future__ import annotations

import math

from preimage.capture.graph import Node
from preimage.inverse.planning.roles import register_saturation


@register_saturation("relu")
def relu(_: Node) -> tuple[float, float]:
    """max(x, 0)."""
    return 0.0, math.inf


@register_saturation("relu6")
def relu6(_: Node) -> tuple[float, float]:
    """min(max(x, 0), 6)."""
    return 0.0, 6.0


@register_saturation("hardtanh")
def hardtanh(node: Node) -> tuple[float, float]:
    """min(max(x, low), high); ReLU6 is captured as this."""
    return _number(node, 1, "min_val", -1.0), _number(node, 2, "max_val", 1.0)


@register_saturation("clamp", "clip")
def clamp(node: Node) -> tuple[float, float]:
    """min(max(x, low), high) with either bound optional."""
    return _number(node, 1, "min", -math.inf), _number(node, 2, "max", math.inf)


@register_saturation("clamp_min")
def clamp_min(node: Node) -> tuple[float, float]:
    """max(x, low)."""
    return _number(node, 1, "min", -math.inf), math.inf


@register_saturation("clamp_max")
def clamp_max(node: Node) -> tuple[float, float]:
    """min(x, high)."""
    return -math.inf, _number(node, 1, "max", math.inf)


def _number(node: Node, position: int, name: str, default: float) -> float:
    value = node.args[position] if position < len(node.args) else node.kwargs.get(name)
    return default if value is None else float(value)
