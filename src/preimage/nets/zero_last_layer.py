"""A conditioner that starts by returning zero."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def zero_last_layer(network: Network) -> Network:
    """Set weight and bias of the last linear or convolution layer to zero, so that the network returns 0.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.3, https://arxiv.org/abs/1807.03039

    Args:
        network: a module whose last layer, in the order of ``modules()``, is linear or a convolution.

    Returns:
        The same module, changed.

    Raises:
        ValueError: it holds no linear or convolution layer.

    Example:
        >>> import torch
        >>> zero_last_layer(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)))(torch.ones(1, 2))
        tensor([[0.]], grad_fn=<AddmmBackward0>)
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [module for module in network.modules() if isinstance(module, kinds)]
    if not layers:
        raise ValueError(f"zero_last_layer: {type(network).__name__} holds no linear or convolution layer")
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)
    return network
