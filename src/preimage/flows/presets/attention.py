"""Flows of transformers, for pictures and signals."""

from __future__ import annotations

from collections.abc import Sequence

from preimage import layers
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.levels import ClampedDequantisation
from preimage.flows.presets.parts import check_sizes, check_space
from preimage.flows.recipe import preset


@preset
def jet(
    event_shape: Sequence[int],
    context: int = 0,
    patch: int = 4,
    transforms: int = 12,
    hidden_features: int = 128,
    heads: int = 4,
    grey_levels: int = 0,
    memory: str = "autograd",
) -> Flow:
    """Jet: couplings with vision transformers over patches; densities and samples are equally fast.

    Reference: Kolesnikov, Pinto, Tschannen (2024), https://arxiv.org/abs/2412.15129

    Args:
        event_shape: ``(C, H, W)`` or ``(C, T)``, sizes of space multiples of ``patch``.
        context: size of the context vector; 0 for none.
        patch: side of a patch.
        transforms: number of couplings.
        hidden_features: width of the transformers, a multiple of ``heads``.
        heads: number of attention heads.
        grey_levels: levels of data that are whole numbers, 256 for bytes; 0 for real numbers.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: sizes that do not divide.

    Cost: one transformer a transform, in either direction.

    Example:
        >>> import torch
        >>> jet((1, 8, 8), transforms=1, hidden_features=16).log_prob(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2])
    """
    shape = check_space("jet", event_shape)
    check_sizes("jet", context=context, transforms=transforms, patch=patch)
    chain = layers.jet(
        shape, patch, transforms, width=hidden_features, heads=heads, context=context, memory=memory
    )
    return Flow(chain, Normal(*shape), surjection=_spread(grey_levels))


@preset
def tarflow(
    event_shape: Sequence[int],
    context: int = 0,
    patch: int = 4,
    transforms: int = 4,
    hidden_features: int = 128,
    heads: int = 4,
    depth: int = 2,
    grey_levels: int = 0,
    memory: str = "autograd",
) -> Flow:
    """TarFlow: causal transformers over patches, in alternating directions.

    Reference: Zhai et al. (2024), Normalizing flows are capable generative models,
    https://arxiv.org/abs/2412.06329

    Args:
        event_shape: ``(C, H, W)`` or ``(C, T)``, sizes of space multiples of ``patch``.
        context: size of the context vector; 0 for none.
        patch: side of a patch.
        transforms: number of blocks.
        hidden_features: width of the transformers, a multiple of ``heads``.
        heads: number of attention heads.
        depth: layers of each transformer.
        grey_levels: levels of data that are whole numbers, 256 for bytes; 0 for real numbers.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: sizes that do not divide.

    Cost: one transformer a block for a density; for a sample one token after the other, with the keys and
    values of earlier tokens kept.

    Example:
        >>> import torch
        >>> flow = tarflow((1, 8, 8), transforms=1, hidden_features=16, depth=1)
        >>> flow.log_prob(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2])
    """
    shape = check_space("tarflow", event_shape)
    check_sizes("tarflow", context=context, transforms=transforms, patch=patch, depth=depth)
    chain = layers.tarflow(
        shape,
        patch,
        transforms,
        width=hidden_features,
        depth=depth,
        heads=heads,
        context=context,
        memory=memory,
    )
    return Flow(chain, Normal(*shape), surjection=_spread(grey_levels))


def _spread(grey_levels: int) -> ClampedDequantisation | None:
    return ClampedDequantisation(grey_levels) if grey_levels else None
