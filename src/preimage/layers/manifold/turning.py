"""Which layers are maps of angles: those that turn with every circle."""

from __future__ import annotations

import functools

from torch import nn

from preimage.bijection import Chain, Inverted
from preimage.layers.coupling.conditional_map import ConditionalMap
from preimage.layers.coupling.coupling import Coupling
from preimage.layers.elementwise.learned_map import LearnedMap
from preimage.layers.linear.bias import Bias
from preimage.layers.linear.permutation import Permutation
from preimage.layers.linear.shared_bias import SharedBias
from preimage.layers.manifold.circle_map import CircleMap
from preimage.layers.manifold.periodic_features import PeriodicFeatures


@functools.singledispatch
def turns_with_circles(layer: nn.Module) -> bool:
    r"""Whether :math:`f(x + 2\pi e_i) = f(x) + 2\pi e_j` by construction, for every angle i.

    Layers of other libraries, or of your own, are told to it with
    ``turns_with_circles.register(MyLayer, lambda layer: True)``.

    Args:
        layer: a bijection of tensors of all real numbers.

    Returns:
        True where it is known to hold for all parameters; False where nothing is known.

    Example:
        >>> from preimage.layers import Affine, CircularSplineMap
        >>> turns_with_circles(LearnedMap(CircularSplineMap(), 2)), turns_with_circles(Affine(2))
        (True, False)
    """
    return False


@turns_with_circles.register(Bias)
@turns_with_circles.register(SharedBias)
@turns_with_circles.register(Permutation)
def _always(layer: nn.Module) -> bool:
    return True


@turns_with_circles.register
def _chain(layer: Chain) -> bool:
    return all(turns_with_circles(part) for part in layer)


@turns_with_circles.register
def _inverted(layer: Inverted) -> bool:
    return turns_with_circles(layer.bijection)


@turns_with_circles.register(LearnedMap)
@turns_with_circles.register(ConditionalMap)
def _element_map(layer: LearnedMap | ConditionalMap) -> bool:
    return isinstance(layer.element_map, CircleMap)


@turns_with_circles.register
def _coupling(layer: Coupling) -> bool:
    return isinstance(layer.element_map, CircleMap) and isinstance(layer.conditioner, PeriodicFeatures)
