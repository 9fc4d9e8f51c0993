"""Normalisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.layers import filled
from preimage.capture.importers.onnx.operation import Operation, operator

BATCH: Mapping[int, type[nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}
INSTANCE: Mapping[int, type[nn.Module]] = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}


@operator("BatchNormalization")
def batch_norm(op: Operation) -> Value:
    """With the statistics of the file."""
    if op.attribute("training_mode", 0) or op.outputs > 1:
        return op.refuse("it is in training mode; export the network in evaluation mode")
    weight, bias, mean, variance = (op.constant(i, what="parameter") for i in range(1, 5))
    eps = op.attribute("epsilon", 1e-5)
    rank = op.rank(0) or 0
    if rank not in BATCH:
        return op.build.call(
            functional.batch_norm, op.input(0), mean, variance, weight, bias, training=False, eps=eps
        )
    cls: Any = BATCH[rank]
    layer = cls(weight.numel(), eps=eps, device="meta").eval()
    tensors = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return op.build.module(op.name, filled(layer, **tensors), op.input(0))


@operator("InstanceNormalization")
def instance_norm(op: Operation) -> Value:
    """Over the spatial axes of each sample and channel."""
    weight, bias = op.constant(1, what="scale"), op.constant(2, what="bias")
    rank, eps = op.rank(0) or 0, op.attribute("epsilon", 1e-5)
    if rank not in INSTANCE:
        return op.build.call(functional.instance_norm, op.input(0), None, None, weight, bias, eps=eps)
    cls: Any = INSTANCE[rank]
    layer = filled(cls(weight.numel(), eps=eps, affine=True, device="meta"), weight=weight, bias=bias)
    return op.build.module(op.name, layer, op.input(0))


@operator("LayerNormalization")
def layer_norm(op: Operation) -> Value:
    """Over the last axes."""
    weight, bias = op.constant(1, what="scale"), op.input(2)
    if op.outputs > 1:
        return op.refuse("it also returns its statistics")
    axis, eps = op.attribute("axis", -1), op.attribute("epsilon", 1e-5)
    axes = -axis if axis < 0 else op.known_rank(0) - axis
    shape = op.shape(0) or ()
    known = [size for size in shape[len(shape) - axes :] if size is not None]
    sizes = known if len(known) == axes else list(weight.shape)
    weight = weight.expand(sizes)
    bias = bias.expand(sizes) if isinstance(bias, Tensor) else bias
    layer = nn.LayerNorm(sizes, eps=eps, bias=bias is not None, device="meta")
    return op.build.module(op.name, filled(layer, weight=weight, bias=bias), op.input(0))


@operator("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(op: Operation) -> Value:
    """Over the last axes, without a mean."""
    weight, axis = op.constant(1, what="scale"), op.attribute("axis", -1)
    if axis not in (-1, (op.rank(0) or 0) - 1):
        return op.refuse("a norm over several axes")
    layer = nn.RMSNorm(weight.numel(), eps=op.attribute("epsilon", 1e-5), device="meta")
    return op.build.module(op.name, filled(layer, weight=weight.flatten()), op.input(0))


@operator("GroupNormalization")
def group_norm(op: Operation) -> Value:
    """Over groups of channels; before operator set 21 with one scale a group."""
    weight, bias = op.constant(1, what="scale"), op.constant(2, what="bias")
    groups, shape = op.attribute("num_groups"), op.shape(0)
    channels = shape[1] if shape else None
    if channels is None:
        return op.refuse("the number of channels is unknown")
    weight, bias = (t.repeat_interleave(channels // t.numel()) for t in (weight, bias))
    layer = nn.GroupNorm(groups, channels, eps=op.attribute("epsilon", 1e-5), device="meta")
    return op.build.module(op.name, filled(layer, weight=weight, bias=bias), op.input(0))


@operator("LRN")
def local_response(op: Operation) -> Value:
    """Over neighbouring channels."""
    size, alpha = op.attribute("size"), op.attribute("alpha", 1e-4)
    layer = nn.LocalResponseNorm(size, alpha, op.attribute("beta", 0.75), op.attribute("bias", 1.0))
    return op.build.module(op.name, layer, op.input(0))


@operator("LpNormalization")
def lp_norm(op: Operation) -> Value:
    """Vectors of length one along an axis."""
    settings = {"p": float(op.attribute("p", 2)), "dim": op.attribute("axis", -1)}
    return op.build.call(functional.normalize, op.input(0), **settings)


@operator("MeanVarianceNormalization")
def standardise(op: Operation) -> Value:
    """Mean zero and variance one over some axes."""
    axes = tuple(op.attribute("axes", (0, 2, 3)))
    if 0 in axes:
        return op.refuse("it mixes the samples of a batch")
    x = op.input(0)
    centred = op.build.call(torch.sub, x, op.build.call(torch.mean, x, axes, keepdim=True))
    variance = op.build.call(torch.mean, op.build.call(torch.square, centred), axes, keepdim=True)
    return op.build.call(torch.div, centred, op.build.call(torch.sqrt, variance))


@operator("Dropout", "Identity")
def unchanged(op: Operation) -> Value:
    """Nothing, in evaluation mode."""
    if op.outputs > 1:
        return op.refuse("its mask is used")
    training = op.input(2)
    if isinstance(training, Tensor) and bool(training) and op.input(1) is not None:
        return op.refuse("it is in training mode; export the network in evaluation mode")
    return op.input(0)
