"""Layers filled with given weights."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


def filled(layer: Layer, **tensors: Tensor | None) -> Layer:
    """A layer, made on the ``meta`` device, with these parameters and buffers; nothing is copied.

    Args:
        layer: the layer.
        **tensors: by name; None for those that it does not have.
    """
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if name in layer._parameters:
            # setattr, because recurrent layers keep a list of their weights beside
            setattr(layer, name, nn.Parameter(tensor.detach().contiguous(), requires_grad=False))
        else:
            layer.register_buffer(name, tensor.detach().contiguous())
    for name, buffer in list(layer.named_buffers(recurse=False)):
        if buffer.is_meta:  # a counter of batches
            layer.register_buffer(name, torch.zeros(buffer.shape, dtype=buffer.dtype))
    return layer
