"""What kind of operation a node is, as far as a planner needs to know. Extended by registration."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from preimage.capture.graph import Graph, Node, Reference, references
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
_STRUCTURAL: set[str] = set()
_SELECTIONS: set[str] = set()

ROW_BY_ROW = frozenset(
    {
        "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
        "batch_norm", "pad", "constant_pad_nd", "add", "sub", "rsub", "mul", "div", "neg",
    }
)  # fmt: skip
"""Affine operations that treat every entry of axis 0 alike, so that entries folded into it change nothing."""

ANY_OPERAND = frozenset(
    {"add", "sub", "mul", "matmul", "mm", "bmm", "einsum", "tensordot", "dot", "mv", "addmm", "baddbmm"}
)
"""Affine operations whose data operand may stand in any place."""

CONSTANT_OPERAND = frozenset({"add", "sub", "rsub", "mul", "div"})
"""Operations with a constant operand that may stand on either side and may differ between samples."""
_SATURATIONS: dict[str, Bounds] = {}


def register_affine(*operations: str, role: Role) -> Callable[[Builder], Builder]:
    """Register how to build the affine map of an ATen operation."""

    def register(build: Builder) -> Builder:
        for operation in operations:
            _AFFINE[operation] = AffineRole(role, build)
        return build

    return register


def register_saturation(*operations: str) -> Callable[[Bounds], Bounds]:
    """Register the interval outside which an operation is constant and inside which it is the identity."""

    def register(bounds: Bounds) -> Bounds:
        for operation in operations:
            _SATURATIONS[operation] = bounds
        return bounds

    return register


def register_structural(*operations: str) -> None:
    """Say that operations only move numbers about, so that they can be undone wherever the samples stand."""
    _STRUCTURAL.update(operations)


def is_structural(operation: str) -> bool:
    """Whether an operation only moves numbers about."""
    return operation in _STRUCTURAL


def register_selection(*operations: str) -> None:
    """Say that every result of an operation is a copy of one number of its operand, or zero."""
    _SELECTIONS.update(operations)


def is_selection(graph: Graph, node: Node) -> bool:
    """Whether a node copies numbers out of its one data operand, sample by sample."""
    return node.operation in _SELECTIONS and affine_role(graph, node) is not None


LAST_AXIS = frozenset(
    {
        "linear", "layer_norm", "rms_norm", "add", "sub", "rsub", "mul", "div", "neg", "relu", "relu6",
        "hardtanh", "clamp", "clamp_min", "clamp_max", "hardswish", "hardsigmoid", "silu", "gelu", "mish",
        "elu", "selu", "celu", "leaky_relu", "softplus", "sigmoid", "tanh", "softsign", "log_sigmoid", "exp",
        "log",
    }
)  # fmt: skip
"""Operations on single numbers or on the last axis, for which it does not matter where the samples stand."""


def is_alike(graph: Graph, node: Node) -> bool:
    """Whether a node maps every sample by itself: by rows, or along the last axis of any values."""
    if same_rows(graph, node.name, *node.inputs):
        return True
    layouts = {graph.layout(name) for name in (node.name, *node.inputs)}
    layout = layouts.pop()
    if layouts or layout is None or layout.fold != 1 or len(node.inputs) != 1:
        return False
    return node.operation in LAST_AXIS and layout.axis < len(node.shape)


def same_rows(graph: Graph, *names: str) -> bool:
    """Whether axis 0 of all values holds the samples, with the same number of entries each."""
    layouts = {graph.layout(name) for name in names}
    layout = layouts.pop()
    return not layouts and layout is not None and layout.axis == 0


def affine_role(graph: Graph, node: Node) -> AffineRole | None:
    """The affine role of a node, or None.

    It must have one data operand, that the first one, and act on each sample alone and alike.
    """
    role = _AFFINE.get(node.operation)
    if role is None or len(node.inputs) != 1 or node.parts or not _is_alike(graph, node):
        return None
    operands = [name for name in references((node.args, node.kwargs)) if graph.is_data(name)]
    first = bool(node.args) and node.args[0] == Reference(node.inputs[0])
    return role if len(operands) == 1 and (first or node.operation in ANY_OPERAND) else None


def _is_alike(graph: Graph, node: Node) -> bool:
    """Whether every sample, and every entry folded into axis 0, goes through the same map."""
    real = graph.is_real(node.name) and graph.is_real(node.inputs[0])
    if not real or not is_alike(graph, node):
        return False
    if node.operation in CONSTANT_OPERAND and node.axis:
        return all(_broadcasts(graph, a, 1) for a in node.args[:2])
    if node.operation in CONSTANT_OPERAND:
        return all(_broadcasts(graph, a, len(node.shape)) for a in node.args[:2])
    return node.fold == 1 or node.operation in ROW_BY_ROW


def _broadcasts(graph: Graph, operand: object, dimensions: int) -> bool:
    """Whether a constant operand is the same for all samples; data operands and numbers pass."""
    if not isinstance(operand, Reference) or graph.is_data(operand.name):
        return True
    sizes = graph.constant_sizes(operand.name)
    rest = len(sizes) - dimensions
    return rest <= 0 or (rest == 1 and sizes[0] == 1)


def saturation_bounds(node: Node) -> tuple[float, float] | None:
    """The interval of a saturating activation, or None for other operations."""
    bounds = _SATURATIONS.get(node.operation)
    return bounds(node) if bounds and len(node.inputs) == 1 else None
