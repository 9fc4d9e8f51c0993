"""Couplings whose networks are vision transformers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from preimage.bijection import Bijection, Chain, ChainRunner
from preimage.domains import Reals
from preimage.layers.attention.patches import patch_shape, with_patches
from preimage.layers.attention.position_partition import PositionPartition
from preimage.layers.attention.shift_scale_map import ShiftScaleMap
from preimage.layers.attention.transformer_net import TransformerNet
from preimage.layers.coupling.coupling import Coupling
from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.coupling.partition import ChannelPartition


def channel_transformer_coupling(
    shape: Sequence[int],
    mask: torch.Tensor | None = None,
    element_map: ElementMap | None = None,
    width: int = 256,
    depth: int = 1,
    heads: int = 4,
    context: int = 0,
) -> Coupling:
    """A coupling between channels whose conditioner is a transformer over positions.

    Reference: Kolesnikov, Pinto, Tschannen (2024), Jet, https://arxiv.org/abs/2412.15129

    Args:
        shape: event shape ``(C, *positions)``, such as ``(48, 8, 8)`` for patches of 4 x 4 pixels.
        mask: which channels stay, bool ``(C,)``; a random half by default.
        element_map: how an element moves; :class:`~preimage.layers.ShiftScaleMap` by default.
        width, depth, heads, context: those of :class:`~preimage.layers.TransformerNet`.

    Returns:
        The coupling, the identity before training.

    Raises:
        ValueError: sizes that do not fit.

    Cost: one run of the transformer in either direction.

    Example:
        >>> layer = channel_transformer_coupling((4, 3, 3), width=8, heads=2)
        >>> layer(torch.ones(2, 4, 3, 3)).shape
        torch.Size([2, 4, 3, 3])
    """
    channels, *positions = shape
    mask = torch.randperm(channels) < channels // 2 if mask is None else mask
    element_map = ShiftScaleMap() if element_map is None else element_map
    kept = int(mask.sum())
    outputs = (channels - kept) * element_map.count
    net = TransformerNet(kept, outputs, positions, width, depth, heads, context)
    return _for_shape(Coupling(ChannelPartition(mask), net, element_map, context=context or None), shape)


def position_transformer_coupling(
    shape: Sequence[int],
    mask: torch.Tensor | None = None,
    element_map: ElementMap | None = None,
    width: int = 256,
    depth: int = 1,
    heads: int = 4,
    context: int = 0,
) -> Coupling:
    """A coupling between positions whose conditioner is a transformer over those that stay.

    Reference: Kolesnikov, Pinto, Tschannen (2024), Jet, https://arxiv.org/abs/2412.15129

    Args:
        shape: event shape ``(C, *positions)`` with an even number of positions.
        mask: which positions stay, bool ``(*positions,)``, half of them; every second one by default, which
            is a checkerboard for pictures.
        element_map: how an element moves; :class:`~preimage.layers.ShiftScaleMap` by default.
        width, depth, heads, context: those of :class:`~preimage.layers.TransformerNet`.

    Returns:
        The coupling, the identity before training.

    Raises:
        ValueError: an odd number of positions, or sizes that do not fit.

    Cost: one run of the transformer over half of the positions in either direction.

    Example:
        >>> layer = position_transformer_coupling((4, 3, 2), width=8, heads=2)
        >>> layer(torch.ones(2, 4, 3, 2)).shape
        torch.Size([2, 4, 3, 2])
    """
    channels, *positions = shape
    mask = chequered(positions) if mask is None else mask
    element_map = ShiftScaleMap() if element_map is None else element_map
    partition = PositionPartition(mask)
    tokens = (math.prod(positions) // 2,)
    net = TransformerNet(channels, channels * element_map.count, tokens, width, depth, heads, context)
    return _for_shape(Coupling(partition, net, element_map, context=context or None), shape)


def _for_shape(coupling: Coupling, shape: Sequence[int]) -> Coupling:
    """Refuse other numbers of positions than those of the transformer's embedding."""
    coupling.domain = coupling.codomain = Reals(*shape)
    return coupling


def chequered(positions: Sequence[int]) -> torch.Tensor:
    """Every second position in every dimension, bool ``(*positions,)``.

    Example:
        >>> chequered((2, 2))
        tensor([[ True, False],
                [False,  True]])
    """
    places = torch.zeros(tuple(positions), dtype=torch.long)
    for dim, size in enumerate(positions):
        places = places + torch.arange(size).reshape(-1, *[1] * (len(positions) - 1 - dim))
    return places % 2 == 0


def jet(
    shape: Sequence[int],
    patch: int = 4,
    couplings: int = 12,
    width: int = 256,
    depth: int = 1,
    heads: int = 4,
    context: int = 0,
    mixing: Callable[[int], Bijection] | None = None,
    memory: str | ChainRunner = "autograd",
) -> Chain:
    r"""Jet: pictures cut into patches, and couplings with vision transformers, all at one resolution.

    Two couplings between random halves of the channels alternate with one between the fields of a
    checkerboard of patches, as far as the number of patches is even; the fields take turns. Sampling is as
    fast as computing densities, for a coupling runs its network forwards in both directions.

    Reference: Kolesnikov, Pinto, Tschannen (2024), Jet: a modern transformer-based normalizing flow,
    https://arxiv.org/abs/2412.15129

    Args:
        shape: ``(C, H, W)`` for pictures, ``(C, T)`` for signals; sizes of space are multiples of ``patch``.
        patch: side of a patch.
        couplings: number of couplings.
        width, depth, heads: those of each transformer, see :class:`~preimage.layers.TransformerNet`.
        context: size of a context vector ``(N, context)``; 0 for none.
        mixing: makes a map of so many channels that goes before every coupling between channels, such as
            :class:`~preimage.layers.Orthogonal` for a learnt rotation; None for random fixed halves alone.
        memory: what training keeps, as for :class:`~preimage.Chain`: with ``"reversible"`` it does not grow
            with the number of couplings.

    Returns:
        The chain, from pictures to latents of their shape; the identity before training.

    Raises:
        ValueError: a size that is not a multiple of the patch.

    Cost: that of ``couplings`` transformers, in either direction.

    Example:
        >>> flow = jet((3, 8, 8), patch=4, couplings=3, width=16, heads=2)
        >>> x = torch.randn(2, 3, 8, 8)
        >>> torch.allclose(flow.inverse(flow(x)), x, atol=1e-6)
        True
    """
    inside = patch_shape(shape, patch)
    settings: dict[str, Any] = {"width": width, "depth": depth, "heads": heads, "context": context}
    even = math.prod(inside[1:]) % 2 == 0
    kinds = itertools.cycle(("channels", "channels", "positions") if even else ("channels",))
    field = chequered(inside[1:])
    layers: list[Bijection] = []
    for kind in itertools.islice(kinds, couplings):
        if kind == "channels":
            layers += [] if mixing is None else [mixing(inside[0])]
            layers.append(channel_transformer_coupling(inside, **settings))
        else:
            layers.append(position_transformer_coupling(inside, field, **settings))
            field = ~field
    return with_patches(layers, shape, patch, memory)
