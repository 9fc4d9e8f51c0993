"""Angles between -pi and pi."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Interval, Reals
from preimage.errors import NotInvertibleError
from preimage.layers.manifold.circle_map import full_turns
from preimage.layers.manifold.turning import turns_with_circles


@final
class Torus(Bijection):
    r"""A map of angles, brought back to -pi ... pi: a flow on the torus :math:`(S^1)^D`.

    The map inside works on the whole line and must turn with every circle, as couplings do of a
    :class:`~preimage.layers.CircleMap` whose network sees :class:`~preimage.layers.PeriodicFeatures`, and
    chains of such; any other would not be a bijection of angles, and is refused
    (:func:`~preimage.layers.turns_with_circles`). Full turns change no volume: log_det is that of the map
    inside, with respect to the angles.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres,
    https://arxiv.org/abs/2002.02428

    Args:
        layer: a bijection of tensors of all real numbers, which adds a full turn where x is moved by one.

    Returns:
        y of the shape of x ``(N, D, ...)``, between -pi and pi, and log_det ``(N,)``.

    Raises:
        DomainError: an angle lies beyond pi.
        NotInvertibleError: nothing guarantees that the layer turns with the circles.

    Cost: that of the layer.

    Example:
        >>> import torch
        >>> from preimage.layers import CircularSplineMap, LearnedMap
        >>> torus = Torus(LearnedMap(CircularSplineMap(), 2))
        >>> _ = torch.nn.init.constant_(torus.layer.raw, 2.0)
        >>> x = torch.tensor([[3.0, -3.0]])
        >>> torch.allclose(torus.inverse(torus(x)), x, atol=1e-5)
        True
    """

    def __init__(self, layer: Bijection) -> None:
        super().__init__()
        if not isinstance(layer.domain, Reals) or not turns_with_circles(layer):
            raise NotInvertibleError(
                f"Torus: {type(layer).__name__} is not known to add a full turn where an angle is moved by"
                " one, so it may not be a bijection of angles; wanted LearnedMap, ConditionalMap or Coupling"
                " of a CircleMap such as CircularSplineMap(), conditioners inside of PeriodicFeatures(...),"
                " or chains of them; for a layer of your own write"
                " turns_with_circles.register(MyLayer, lambda layer: True)"
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
