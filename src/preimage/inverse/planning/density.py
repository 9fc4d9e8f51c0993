"""Convolutions that lose inputs although they return as many numbers, told from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from preimage.capture.graph import Graph, Node, Reference

_STRIDES = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
_SPREADS = {"conv_transpose1d": 1, "conv_transpose2d": 2, "conv_transpose3d": 3}


def drops_inputs(graph: Graph, node: Node) -> bool:
    """Whether the interior of a convolution has fewer equations than unknowns, or steps over inputs.

    Padding adds outputs at the border, so that the totals may still match. With kernel k, stride s and d
    spatial dimensions, s^d positions hold s^d C_in unknowns and C_out equations; a kernel shorter than the
    stride never reads some positions. A transposed convolution makes C_out numbers at min(k, s)^d places out
    of C_in.

    Args:
        graph: the captured network.
        node: any operation; only convolutions can be told.
    """
    dimensions = _STRIDES.get(node.operation) or _SPREADS.get(node.operation)
    weight = node.args[1] if len(node.args) > 1 else None
    tensor = graph.tensor(weight.name) if isinstance(weight, Reference) else None
    if dimensions is None or tensor is None:
        return False
    kernel, stride = tensor.shape[2:], _spread(_argument(node, 3, "stride", 1), dimensions)
    if node.operation in _SPREADS:
        places = prod(min(pair) for pair in zip(kernel, stride, strict=True))
        groups = int(_argument(node, 6, "groups", 1))
        return tensor.shape[1] * groups * places < tensor.shape[0]
    groups = int(_argument(node, 6, "groups", 1))
    sizes = graph.shape(node.inputs[0])[-dimensions:]
    strided = [(k, s) for k, s, size in zip(kernel, stride, sizes, strict=True) if s > 1 and size > 1]
    skips = any(k < s for k, s in strided)
    return skips or tensor.shape[0] < tensor.shape[1] * groups * prod(s for _, s in strided)


def _argument(node: Node, position: int, name: str, default: Any) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _spread(value: int | Sequence[int], dimensions: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * dimensions if len(values) == 1 else values
