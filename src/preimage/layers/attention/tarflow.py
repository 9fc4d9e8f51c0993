"""Autoregressive flows over patches with causal transformers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from preimage.bijection import Chain, ChainRunner
from preimage.layers.attention.causal_transformer import CausalTransformer
from preimage.layers.attention.patches import patch_shape, with_patches
from preimage.layers.autoregressive.autoregressive import Autoregressive
from preimage.layers.coupling.element_map import ElementMap


def tarflow_block(
    shape: Sequence[int],
    element_map: ElementMap | None = None,
    width: int = 256,
    depth: int = 2,
    heads: int = 4,
    context: int = 0,
    order: Sequence[int] | None = None,
    together: int = 1,
) -> Autoregressive:
    r"""One block of TarFlow: each token moves as a causal transformer over the tokens before it says.

    .. math:: y_t = g(x_t;\, \theta_t(x_0, \dots, x_{t-1}, c))

    Forward is one run for all tokens. The inverse remembers keys and values, and goes token by token, or
    ``together`` tokens at once by sweeps; the answers are the same.

    Reference: Zhai et al. (2024), Normalizing flows are capable generative models (TarFlow),
    https://arxiv.org/abs/2412.06329; sweeps: Liu, Qin (2025), https://arxiv.org/abs/2505.12849

    Args:
        shape: event shape ``(C, *positions)``, with at least two positions.
        element_map: the map g; :class:`~preimage.layers.AffineMap` by default.
        width, depth, heads, context, order, together: those of
            :class:`~preimage.layers.CausalTransformer`.

    Returns:
        The layer, the identity before training.

    Raises:
        ValueError: sizes that do not fit.

    Cost: forward one run of the transformer; inverse about the same arithmetic in T steps, T positions.

    Example:
        >>> import torch
        >>> layer = tarflow_block((3, 2, 2), width=8, heads=2)
        >>> x = torch.randn(2, 3, 2, 2)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-6)
        True
    """
    count = 2 if element_map is None else element_map.count
    channels, *positions = shape
    net = CausalTransformer(channels, positions, count, width, depth, heads, context, order, together)
    return Autoregressive(net, element_map)


def tarflow(
    shape: Sequence[int],
    patch: int = 4,
    blocks: int = 4,
    width: int = 256,
    depth: int = 2,
    heads: int = 4,
    context: int = 0,
    together: int = 1,
    memory: str | ChainRunner = "autograd",
) -> Chain:
    """TarFlow: pictures cut into patches, and blocks that look through them in alternating directions.

    Reference: Zhai et al. (2024), Normalizing flows are capable generative models,
    https://arxiv.org/abs/2412.06329

    Args:
        shape: ``(C, H, W)`` for pictures, ``(C, T)`` for signals; sizes of space are multiples of ``patch``.
        patch: side of a patch.
        blocks: number of blocks; every second one takes the patches in reverse order.
        width, depth, heads: those of each causal transformer.
        context: size of a context vector ``(N, context)``, such as a class as one-hot; 0 for none.
        together: patches that the inverse solves at once, see :class:`~preimage.layers.CausalTransformer`.
        memory: as for :class:`~preimage.Chain`.

    Returns:
        The chain, from pictures to latents of their shape; the identity before training.

    Raises:
        ValueError: a size that is not a multiple of the patch, or fewer than two patches.

    Cost: forward that of ``blocks`` transformers; for the inverse see :func:`tarflow_block`.

    Example:
        >>> import torch
        >>> flow = tarflow((3, 8, 8), patch=4, blocks=2, width=8, heads=2, context=10)
        >>> x, label = torch.randn(2, 3, 8, 8), torch.eye(10)[[3, 7]]
        >>> torch.allclose(flow.inverse(flow(x, label), label), x, atol=1e-6)
        True
    """
    inside = patch_shape(shape, patch)
    tokens = math.prod(inside[1:])
    orders = (range(tokens), range(tokens - 1, -1, -1))
    layers = [
        tarflow_block(inside, None, width, depth, heads, context, orders[index % 2], together)
        for index in range(blocks)
    ]
    return with_patches(layers, shape, patch, memory)
