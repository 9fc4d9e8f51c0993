"""How each ONNX operator is written in PyTorch; importing these files registers them."""

from preimage.capture.importers.onnx.operators import (
    activation,
    arithmetic,
    convolution,
    indexing,
    linear,
    normalisation,
    pooling,
    recurrent,
    reduction,
    resize,
    shape,
)

__all__ = [
    "activation",
    "arithmetic",
    "convolution",
    "indexing",
    "linear",
    "normalisation",
    "pooling",
    "recurrent",
    "reduction",
    "resize",
    "shape",
]
