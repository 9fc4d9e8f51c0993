"""Pictures and signals as tokens: every patch becomes the channels of one position."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from preimage.bijection import Bijection, Chain, ChainRunner
from preimage.layers.structure.squeeze import Squeeze


def patch_shape(shape: Sequence[int], patch: int) -> tuple[int, ...]:
    """The event shape after cutting into patches.

    Args:
        shape: ``(C, *space)``.
        patch: side of a patch.

    Returns:
        ``(C * patch^d, *space / patch)`` for d dimensions of space.

    Raises:
        ValueError: a size is not a multiple of the patch, or there is no space.

    Example:
        >>> patch_shape((3, 32, 16), 4)
        (48, 8, 4)
    """
    channels, *space = shape
    if not space or patch < 1 or any(size % patch for size in space):
        raise ValueError(
            f"patches: shape is {tuple(shape)} and patch is {patch}, wanted (C, H, W) or (C, T) with sizes of"
            " space that are multiples of the patch"
        )
    return (channels * math.prod([patch] * len(space)), *(size // patch for size in space))


def with_patches(
    layers: Iterable[Bijection], shape: Sequence[int], patch: int, memory: str | ChainRunner = "autograd"
) -> Chain:
    """Layers between cutting into patches and putting them together.

    Args:
        layers: bijections of events of :func:`patch_shape`.
        shape: ``(C, *space)``.
        patch: side of a patch; 1 for none.
        memory: as for :class:`~preimage.Chain`.

    Returns:
        The chain, for events of the given shape.

    Example:
        >>> len(with_patches([], (3, 8, 8), 4)), len(with_patches([], (3, 8, 8), 1))
        (2, 0)
    """
    if patch == 1:
        return Chain(*layers, memory=memory)
    cut = Squeeze([patch] * (len(shape) - 1))
    return Chain(cut, *layers, cut.inv, memory=memory)
