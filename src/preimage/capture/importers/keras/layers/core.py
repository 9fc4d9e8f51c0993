"""Linear layers, embeddings, scalings, and what does nothing in evaluation mode."""

from __future__ import annotations

import torch
from torch import nn

from preimage.capture.importers.keras.layers.activation import activated
from preimage.capture.importers.keras.place import Laid, Place, layer
from preimage.capture.importers.layers import filled

QUIET = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "InputLayer",
)


@layer(*QUIET)
def unchanged(place: Place) -> Laid:
    """Nothing, in evaluation mode."""
    return place.operand


@layer("Dense")
def dense(place: Place) -> Laid:
    """A linear layer on the last axis; Keras keeps its matrix as (in, out)."""
    kernel, bias = place.weight("kernel"), place.weight("bias")
    if kernel is None:
        return place.refuse("it is not built")

    def make() -> nn.Module:
        linear = nn.Linear(kernel.shape[0], kernel.shape[1], bias=bias is not None, device="meta")
        return filled(linear, weight=kernel.T, bias=bias)

    x = place.operand
    found = Laid(place.module(make, place.as_seen(x)), x.rank)
    return Laid(activated(place, found.value, found), x.rank)


@layer("EinsumDense")
def einsum_dense(place: Place) -> Laid:
    """A sum over named axes, a bias and an activation."""
    kernel, bias = place.weight("kernel"), place.weight("bias")
    equation = place.config["equation"]
    if kernel is None or "..." in equation:
        return place.refuse("it is not built, or its equation leaves axes open")
    value = place.call(torch.einsum, equation, place.as_seen(place.operand), kernel)
    value = value if bias is None else place.call(torch.add, value, bias)
    found = Laid(value, len(equation.split("->")[1]))
    return Laid(activated(place, value, found), found.rank)


@layer("Embedding")
def embedding(place: Place) -> Laid:
    """Rows of a table."""
    table = place.weight("embeddings")
    if table is None:
        return place.refuse("it is not built")
    make = lambda: filled(nn.Embedding(table.shape[0], table.shape[1], device="meta"), weight=table)  # noqa: E731
    return Laid(place.module(make, place.as_seen(place.operand)), place.operand.rank + 1)


@layer("Rescaling")
def rescaling(place: Place) -> Laid:
    """A factor and a summand."""
    x, scale, offset = place.operand, place.config["scale"], place.config["offset"]
    if isinstance(scale, (list, tuple)) or isinstance(offset, (list, tuple)):
        scale, offset = (torch.as_tensor(v, dtype=torch.float32) for v in (scale, offset))
        x = Laid(place.as_seen(x), x.rank)
    value = place.call(torch.add, place.call(torch.mul, x.value, scale), offset)
    return Laid(value, x.rank, x.first)


@layer("Normalization")
def normalization(place: Place) -> Laid:
    """Minus a mean, over a standard deviation."""
    x, inverted = place.operand, bool(place.config.get("invert", False))
    mean, variance = place.weight("mean"), place.weight("variance")
    if mean is None or variance is None or inverted:
        return place.refuse("its statistics are missing, or it is inverted")
    deviation = variance.sqrt().clamp_min(torch.finfo(variance.dtype).eps)
    return Laid(place.call(torch.div, place.call(torch.sub, place.as_seen(x), mean), deviation), x.rank)
