"""Equalised learning rate: scale at run time instead of at the start."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.utils import parametrize

from preimage.weights.fan_in import fan_in


class Scaled(nn.Module):
    """The parametrisation ``weight = scale * raw`` with a constant scale.

    Args:
        scale: the factor, positive.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, raw: Tensor) -> Tensor:
        """The weight of a parameter."""
        return self.scale * raw

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The parameter of a weight."""
        return weight / self.scale


def equalised_learning_rate(module: nn.Module, name: str = "weight", gain: float = math.sqrt(2)) -> nn.Module:
    r"""Let a parameter of deviation 1 stand behind a weight, :math:`w = r\,\text{gain}/\sqrt{\text{fan in}}`.

    Optimisers that normalise gradients, such as Adam, then change all layers at the same relative speed. The
    weight keeps its value; ``HeInitialiser(gain=gain)`` gives the parameters the deviation 1.

    Reference: Karras, Aila, Laine, Lehtinen (2018), section 4.1, https://arxiv.org/abs/1710.10196

    Args:
        module: a linear layer or convolution, changed in place.
        name: which parameter.
        gain: as for :class:`~preimage.weights.HeInitialiser`.

    Returns:
        The layer.

    Raises:
        TypeError: another kind of layer.

    Cost: one product at every use of the weight.

    Example:
        >>> layer = equalised_learning_rate(nn.Linear(8, 2))
        >>> ratio = layer.weight / layer.parametrizations.weight.original
        >>> round(ratio.mean().item(), 6)
        0.5
    """
    return parametrize.register_parametrization(module, name, Scaled(gain / math.sqrt(fan_in(module))))
