"""He's initialisation over any base distribution."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.distributions import Distribution, Normal
from torch.nn.modules.conv import _ConvNd

from preimage.weights.fan_in import fan_in


class HeInitialiser:
    r"""Draws weights of standard deviation :math:`\text{gain}/\sqrt{\text{fan in}}`, and sets biases to zero.

    With the gain of a rectifier, :math:`\sqrt2`, the second moment of activations stays the same from layer
    to layer. The base distribution gives the shape; its own mean and deviation are taken out.

    Reference: He, Zhang, Ren, Sun (2015), https://arxiv.org/abs/1502.01852

    Args:
        distribution: base distribution of single numbers, the standard normal one by default.
        gain: factor :math:`\sqrt{2/(1 + \alpha^2)}` for a rectifier of slope alpha, 1 for linear layers.

    Raises:
        ValueError: the distribution has no finite, positive variance, or the gain is not positive.

    Cost: one draw per weight.

    Example:
        >>> net = nn.Sequential(nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 10))
        >>> net = net.apply(HeInitialiser(torch.distributions.Uniform(-1.0, 1.0)))
        >>> net[0].bias.abs().max().item()
        0.0
    """

    def __init__(self, distribution: Distribution | None = None, gain: float = math.sqrt(2)) -> None:
        self.distribution = Normal(0.0, 1.0) if distribution is None else distribution
        deviation = self.distribution.stddev
        if not (deviation.isfinite().all() and (deviation > 0).all()):
            name = type(self.distribution).__name__
            raise ValueError(f"HeInitialiser: {name} has no finite, positive variance; use Normal or Uniform")
        if not 0 < gain < math.inf:
            raise ValueError(f"HeInitialiser: gain is {gain}, wanted a positive number, such as 1.4142")
        self.gain = gain

    @torch.no_grad()
    def __call__(self, module: nn.Module) -> None:
        """Initialise a linear layer or convolution in place; leave any other module alone.

        Args:
            module: the layer. ``network.apply(initialiser)`` reaches all layers of a network.
        """
        if not isinstance(module, nn.Linear | _ConvNd):
            return
        weight = module.weight
        draw = (self.distribution.sample(weight.shape) - self.distribution.mean) / self.distribution.stddev
        scaled = draw.to(weight) * (self.gain / math.sqrt(fan_in(module)))
        if isinstance(module._parameters.get("weight"), nn.Parameter):
            weight.copy_(scaled)
        else:
            module.weight = scaled  # a parametrised weight is set through the inverse of its map
        if module.bias is not None:
            module.bias.zero_()
