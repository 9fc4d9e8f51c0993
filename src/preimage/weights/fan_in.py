"""How many numbers feed one output of a layer."""

from __future__ import annotations

import math

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd


def fan_in(module: nn.Module) -> float:
    r"""Number of inputs that one output of a layer adds up.

    For a linear layer the second size of its weight, not the first; for a convolution
    :math:`C_{in}\, k_1 k_2 \dots / \text{groups}`; for a transposed convolution that number over the
    product of the strides, its mean over the outputs.

    Reference: He, Zhang, Ren, Sun (2015), https://arxiv.org/abs/1502.01852

    Args:
        module: a linear layer or a convolution.

    Returns:
        The number, whole but for transposed convolutions.

    Raises:
        TypeError: another kind of module.

    Cost: none.

    Example:
        >>> fan_in(nn.Linear(400, 300)), fan_in(nn.Conv2d(6, 8, 3, groups=2))
        (400.0, 27.0)
    """
    if isinstance(module, nn.Linear):
        return float(module.in_features)
    if isinstance(module, _ConvNd):
        taps = module.in_channels // module.groups * math.prod(module.kernel_size)
        return taps / math.prod(module.stride) if isinstance(module, _ConvTransposeNd) else float(taps)
    raise TypeError(f"fan_in: got {type(module).__name__}, wanted a linear layer or a convolution")
