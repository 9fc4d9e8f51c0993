"""Maps of angles, on the whole line."""

from __future__ import annotations

import abc
import math

from torch import Tensor

from preimage.layers.coupling.element_map import ElementMap

TURN = 2 * math.pi


def full_turns(angle: Tensor) -> Tensor:
    """The multiple of 2 pi nearest to an angle, without a gradient.

    Example:
        >>> import torch
        >>> full_turns(torch.tensor([3.0, 4.0, -100.0]))
        tensor([   0.0000,    6.2832, -100.5310])
    """
    return (angle.detach() / TURN).round() * TURN


class CircleMap(ElementMap, abc.ABC):
    r"""An increasing map of the line that turns with the circle, :math:`g(x + 2\pi) = g(x) + 2\pi`.

    So it is a smooth bijection of angles, and yet one of all real numbers, without a seam: couplings and
    networks use it like any other element map. :class:`~preimage.layers.Torus` keeps angles between -pi and
    pi where that is wanted. Parameters should come from networks that see cosines and sines,
    :class:`~preimage.layers.PeriodicFeatures`.

    Args:
        count: number of parameters per element.

    Example:
        >>> import torch
        >>> from preimage.layers import CircularSplineMap
        >>> circle = CircularSplineMap(bins=4)
        >>> raw = torch.ones(2, circle.count)
        >>> a, b = circle.forward_elements(torch.tensor([0.5, 0.5 + 2 * torch.pi]), raw)[0]
        >>> bool((b - a - 2 * torch.pi).abs() < 1e-5)
        True
    """
