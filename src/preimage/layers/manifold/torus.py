"""Angles between -pi and pi."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Interval, Reals
from preimage.layers.manifold.circle_map import full_turns


@final
class Torus(Bijection):
    r"""A map of angles, brought back to -pi ... pi: a flow on the torus :math:`(S^1)^D`.

    The map inside works on the whole line and turns with the circle, such as a coupling of
    :class:`~preimage.layers.CircleMap` whose network sees :class:`~preimage.layers.PeriodicFeatures`. Where
    it does not, the inverse lands on other angles, and the certificate says so. Full turns change no volume:
    log_det is that of the map inside, with respect to the angles.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres,
    https://arxiv.org/abs/2002.02428

    Args:
        layer: a bijection of tensors of all real numbers that commutes with adding 2 pi to any element.

    Returns:
        y of the shape of x ``(N, D, ...)``, between -pi and pi, and log_det ``(N,)``.

    Raises:
        DomainError: an angle lies beyond pi.
        ValueError: the layer takes several tensors, or is not defined everywhere.

    Cost: that of the layer.

    Example:
        >>> from preimage.layers import CircularSplineMap, LearnedMap
        >>> torus = Torus(LearnedMap(CircularSplineMap(), 2))
        >>> _ = torch.nn.init.constant_(torus.layer.raw, 2.0)
        >>> x = torch.tensor([[3.0, -3.0]])
        >>> torch.allclose(torus.inverse(torus(x)), x, atol=1e-5)
        True
    """

    def __init__(self, layer: Bijection) -> None:
        super().__init__()
        if not isinstance(layer.domain, Reals):
            raise ValueError(
                f"Torus: {type(layer).__name__} is not a map of one tensor of any real numbers, wanted one"
                " that is"
            )
        self.layer = layer
        self.domain = self.codomain = Interval(-math.pi, math.pi, *layer.domain.shape, closed=True)
        self.context_domain = layer.context_domain

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Map, then take full turns off."""
        y, log_det = self.layer.forward_and_log_det(x, context)
        return _wrap(y), log_det

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The same backwards."""
        x, log_det = self.layer.inverse_and_log_det(y, context)
        return _wrap(x), log_det


def _wrap(angle: Tensor) -> Tensor:
    return (angle - full_turns(angle)).clamp(-math.pi, math.pi)


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
