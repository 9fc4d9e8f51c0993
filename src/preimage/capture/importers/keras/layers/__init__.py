"""How each Keras layer is written in PyTorch; importing these files registers them."""

from preimage.capture.importers.keras.layers import (
    activation,
    attention,
    convolution,
    core,
    merge,
    norm,
    operations,
    pooling,
    recurrent,
    shape,
)

__all__ = [
    "activation",
    "attention",
    "convolution",
    "core",
    "merge",
    "norm",
    "operations",
    "pooling",
    "recurrent",
    "shape",
]
