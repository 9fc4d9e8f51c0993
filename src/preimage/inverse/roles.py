"""What kind of operation a node is, as far as a planner needs to know. Extended by registration."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from preimage.capture.graph import Graph, Node, Reference
from preimage.inverse.linear import Affine


class Role(enum.Enum):
    """How an affine operation acts on its operand."""

    MIXING = "mixing"
    """Every output is a sum over several inputs: convolution, linear layer, average."""
    DIAGONAL = "diagonal"
    """One input per output, scaled and shifted: batch norm, a constant factor or summand."""
    PADDING = "padding"
    """Inputs are copied and constants added around them."""


Builder = Callable[[Graph, Node], Affine]
Bounds = Callable[[Node], tuple[float, float]]


@dataclass(frozen=True)
class AffineRole:
    """An operation z = A x + b in its one data operand, and how to build A and b."""

    role: Role
    build: Builder


_AFFINE: dict[str, AffineRole] = {}
_SATURATIONS: dict[str, Bounds] = {}


def register_affine(*operations: str, role: Role) -> Callable[[Builder], Builder]:
    """Register how to build the affine map of an ATen operation."""

    def register(build: Builder) -> Builder:
        for operation in operations:
            _AFFINE[operation] = AffineRole(role, build)
        return build

    return register


def register_saturation(*operations: str) -> Callable[[Bounds], Bounds]:
    """Register the interval outside which an ATen operation is constant and inside which it is the identity.

    Egister the interval outside which an ATen operation is constant and inside which it is the identity.
    """

    def register(bounds: Bounds) -> Bounds:
        for operation in operations:
            _SATURATIONS[operation] = bounds
        return bounds

    return register


def affine_role(graph: Graph, node: Node) -> AffineRole | None:
    """The affine role of a node, or None: it must have one data operand, and that the first one."""
    role = _AFFINE.get(node.operation)
    if role is None or len(node.inputs) != 1 or node.parts:
        return None
    operands = [a for a in node.args if isinstance(a, Reference) and graph.is_data(a.name)]
    summands = node.operation in ("add", "sub", "mul")  # either operand may be the constant one
    first = bool(node.args) and node.args[0] == Reference(node.inputs[0])
    return role if len(operands) == 1 and (first or summands) else None


def saturation_bounds(node: Node) -> tuple[float, float] | None:
    """The interval of a saturating activation, or None for other operations."""
    bounds = _SATURATIONS.get(node.operation)
    return bounds(node) if bounds and len(node.inputs) == 1 else None
