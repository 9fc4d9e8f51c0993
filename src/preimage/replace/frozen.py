"""Keeping a trained network as it is while something beside it is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """No parameter of the network collects gradients inside; its flags come back afterwards.

    Example:
        >>> linear = nn.Linear(2, 2)
        >>> with frozen(linear):
        ...     print(linear.weight.requires_grad)
        False
        >>> linear.weight.requires_grad
        True
    """
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield network
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of every parameter and buffer, name, dtype, shape and bits: equal only for the same network.

    Example:
        >>> linear = nn.Linear(2, 2)
        >>> before = fingerprint(linear)
        >>> _ = linear.weight.data.neg_()
        >>> fingerprint(linear) == before
        False
    """
    digest = hashlib.sha256()
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
