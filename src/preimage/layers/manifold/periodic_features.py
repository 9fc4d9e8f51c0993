"""Angles as points on circles."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn


@final
class PeriodicFeatures(nn.Module):
    r"""A network that sees angles as points on circles, :math:`x \mapsto f(\cos x, \sin x)`.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres,
    https://arxiv.org/abs/2002.02428

    Args:
        net: the network f, called with ``(N, 2 C, ...)``, and with a context where there is one.

    Returns:
        What the network returns, the same for angles that differ by full turns.

    Cost: that of the network.

    Example:
        >>> from preimage.nets import MLP
        >>> net = PeriodicFeatures(MLP(4, 3))
        >>> net(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, *context: Any) -> Any:
        """Cosines, then sines."""
        return self.net(torch.cat([x.cos(), x.sin()], dim=1), *context)
