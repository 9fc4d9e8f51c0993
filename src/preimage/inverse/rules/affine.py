"""How the affine operations of a network become linear maps with an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node, Reference
from preimage.capture.interpret import evaluate
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse import linear as maps
from preimage.inverse.linear import Affine, AffineComposition, AffineMap
from preimage.inverse.planning.roles import Role, affine_role, register_affine
from preimage.inverse.rules.linearised import Linearised
from preimage.inverse.rules.reshape import MOVES, SAME_ORDER


def affine_of(graph: Graph, nodes: Sequence[Node]) -> Affine:
    """The affine map of a chain of nodes, parameters by reference.

    Raises:
        NotInvertibleError: an operation is not affine in one operand.
    """
    parts = [_part(graph, node) for node in nodes]
    return parts[0] if len(parts) == 1 else AffineComposition(parts)


def _part(graph: Graph, node: Node) -> Affine:
    """The map of one node; what moves numbers about is a map too, where it stands between others."""
    role = affine_role(graph, node)
    if role is not None:
        return role.build(graph, node)
    if node.operation in SAME_ORDER:
        return maps.Reshape(source_shape(graph, node), node.shape)
    if node.operation in MOVES:
        return Linearised(graph, node)
    raise NotInvertibleError(f"{node.name} ({node.operation}) is not affine in one operand")


def argument(graph: Graph, node: Node, position: int, name: str, default: Any = None) -> Any:
    """A literal or constant operand of a node, by position or keyword."""
    value = node.args[position] if position < len(node.args) else node.kwargs.get(name, default)
    return constant(graph, value) if isinstance(value, Reference) else value


def constant(graph: Graph, reference: Reference) -> Any:
    """The tensor behind a reference that does not depend on the input."""
    tensor = graph.tensor(reference.name)
    return evaluate(graph, {}, [reference.name])[reference.name] if tensor is None else tensor


def source_shape(graph: Graph, node: Node) -> tuple[int, ...]:
    """Event shape of the data operand."""
    return graph.shape(node.inputs[0])


def event_constant(value: Any, shape: tuple[int, ...], like: Tensor | None = None) -> Tensor:
    """A constant operand as a tensor that broadcasts to the event shape."""
    tensor = value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
    if tensor.dim() == len(shape) + 1 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.dim() > len(shape):
        raise ShapeError(
            f"a constant of shape {tuple(tensor.shape)} differs between samples of shape {shape}"
        )
    return tensor


@register_affine("linear", role=Role.MIXING)
def linear(graph: Graph, node: Node) -> Affine:
    """z = x W' + b on the last axis."""
    weight, bias = argument(graph, node, 1, "weight"), argument(graph, node, 2, "bias")
    dense = maps.Dense(weight, source_shape(graph, node))
    return dense if bias is None else AffineMap(dense, bias)


@register_affine("conv1d", "conv2d", "conv3d", role=Role.MIXING)
def convolution(graph: Graph, node: Node) -> Affine:
    """Cross-correlation with zero padding."""
    weight, bias = argument(graph, node, 1, "weight"), argument(graph, node, 2, "bias")
    stride, padding = argument(graph, node, 3, "stride", 1), argument(graph, node, 4, "padding", 0)
    dilation = argument(graph, node, 5, "dilation", 1)
    convolved = maps.Convolution(
        weight,
        source_shape(graph, node),
        stride,
        _named_padding(padding, weight, dilation),
        dilation=dilation,
        groups=argument(graph, node, 6, "groups", 1),
    )
    return _with_channel_bias(convolved, bias)


@register_affine("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", role=Role.MIXING)
def transposed_convolution(graph: Graph, node: Node) -> Affine:
    """The adjoint of a convolution, used forward."""
    weight, bias = argument(graph, node, 1, "weight"), argument(graph, node, 2, "bias")
    convolved = maps.TransposedConvolution(
        weight,
        source_shape(graph, node),
        argument(graph, node, 3, "stride", 1),
        argument(graph, node, 4, "padding", 0),
        output_padding=argument(graph, node, 5, "output_padding", 0),
        groups=argument(graph, node, 6, "groups", 1),
        dilation=argument(graph, node, 7, "dilation", 1),
    )
    return _with_channel_bias(convolved, bias)


def _named_padding(padding: Any, weight: Tensor, dilation: Any) -> Any:
    if padding == "valid":
        return 0
    if padding != "same":
        return padding
    kernel = weight.shape[2:]
    steps = [dilation] * len(kernel) if isinstance(dilation, int) else list(dilation) * len(kernel)
    total = [step * (size - 1) for step, size in zip(steps, kernel, strict=False)]
    return [(t // 2, t - t // 2) for t in total]


def _with_channel_bias(linear_map: maps.LinearMap, bias: Tensor | None) -> Affine:
    if bias is None:
        return linear_map
    return AffineMap(linear_map, bias.view(-1, *[1] * (len(linear_map.out_shape) - 1)))


@register_affine("batch_norm", role=Role.DIAGONAL)
def batch_norm(graph: Graph, node: Node) -> Affine:
    """Batch normalisation with its running statistics."""
    if argument(graph, node, 5, "training", False):
        raise NotInvertibleError(f"{node.path!r} is in training mode; call model.eval() first")
    weight, bias, mean, variance = (
        argument(graph, node, position, name)
        for position, name in enumerate(("weight", "bias", "running_mean", "running_var"), start=1)
    )
    eps = argument(graph, node, 7, "eps")
    return maps.BatchNorm(source_shape(graph, node), mean, variance, weight, bias, eps=eps)


@register_affine("pad", "constant_pad_nd", role=Role.PADDING)
def pad(graph: Graph, node: Node) -> Affine:
    """Constant, circular, reflecting or replicating padding."""
    shape, amounts = source_shape(graph, node), list(argument(graph, node, 1, "pad"))
    pairs = [(amounts[i], amounts[i + 1]) for i in range(len(amounts) - 2, -1, -2)]
    second = argument(graph, node, 2, "mode", "constant") if node.operation == "pad" else "constant"
    value = argument(graph, node, 3 if node.operation == "pad" else 2, "value", 0.0)
    kinds = {"circular": maps.CircularPad, "reflect": maps.ReflectPad, "replicate": maps.ReplicatePad}
    if second in kinds:
        return kinds[second](shape, pairs)
    if value:
        return Linearised(graph, node)
    return maps.Pad(shape, pairs)


@register_affine("add", "sub", role=Role.DIAGONAL)
def shift(graph: Graph, node: Node) -> Affine:
    """x + c, x - c or c - x."""
    left = isinstance(node.args[0], Reference) and graph.is_data(node.args[0].name)
    shape, alpha = source_shape(graph, node), float(argument(graph, node, 2, "alpha", 1))
    other = event_constant(argument(graph, node, 1 if left else 0, "other"), node.shape)
    sign = -alpha if node.operation == "sub" else alpha
    scale = 1.0 if left else sign
    if node.shape != shape:
        return Linearised(graph, node)
    return AffineMap(_scaled(scale, shape), other * sign if left else other)


@register_affine("rsub", role=Role.DIAGONAL)
def reversed_shift(graph: Graph, node: Node) -> Affine:
    """c - a x."""
    shape, alpha = source_shape(graph, node), float(argument(graph, node, 2, "alpha", 1))
    other = event_constant(argument(graph, node, 1, "other"), node.shape)
    if node.shape != shape:
        return Linearised(graph, node)
    return AffineMap(_scaled(-alpha, shape), other)


@register_affine("mul", "div", role=Role.DIAGONAL)
def scale(graph: Graph, node: Node) -> Affine:
    """x c or x / c."""
    left = isinstance(node.args[0], Reference) and graph.is_data(node.args[0].name)
    shape = source_shape(graph, node)
    other = event_constant(argument(graph, node, 1 if left else 0, "other"), node.shape)
    if node.shape != shape or node.kwargs.get("rounding_mode"):
        return Linearised(graph, node)
    factor = other.double().reciprocal() if node.operation == "div" else other
    return maps.Scale(factor, shape)


@register_affine("neg", role=Role.DIAGONAL)
def negative(graph: Graph, node: Node) -> Affine:
    """-x."""
    return _scaled(-1.0, source_shape(graph, node))


def _scaled(factor: float, shape: tuple[int, ...]) -> maps.LinearMap:
    return (
        maps.Identity(shape)
        if factor == 1.0
        else maps.Scale(torch.tensor(factor, dtype=torch.float64), shape)
    )


@register_affine("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", role=Role.MIXING)
def adaptive_average(graph: Graph, node: Node) -> Affine:
    """Averages over a fixed number of windows."""
    return maps.AdaptiveAveragePool(source_shape(graph, node), argument(graph, node, 1, "output_size"))


@register_affine("avg_pool1d", "avg_pool2d", "avg_pool3d", role=Role.MIXING)
def average(graph: Graph, node: Node) -> Affine:
    """Averages over sliding windows."""
    special = argument(graph, node, 4, "ceil_mode", False) or argument(
        graph, node, 6, "divisor_override", None
    )
    if special:
        return Linearised(graph, node)
    kernel = argument(graph, node, 1, "kernel_size")
    return maps.AveragePool(
        source_shape(graph, node),
        kernel,
        argument(graph, node, 2, "stride", None) or kernel,
        argument(graph, node, 3, "padding", 0),
        argument(graph, node, 5, "count_include_pad", True),
    )


@register_affine(
    "mean", "sum", "matmul", "mm", "bmm", "einsum", "tensordot", "addmm", "baddbmm", "cumsum", "diff",
    "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d", "col2im",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler", "grid_sampler_2d", "dot", "mv",
    role=Role.MIXING,
)  # fmt: skip
def linearised(graph: Graph, node: Node) -> Affine:
    """Any other operation that is affine in its data operand: its adjoint is taken from autograd."""
    return Linearised(graph, node)
